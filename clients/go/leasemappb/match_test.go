package leasemappb_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"leasemap.dev/leasemap/leasemappb"
)

// The checked-in code must be of the protos as they are: protoc reads those, and the descriptors are compared.
func TestGeneratedCodeMatchesTheProtos(t *testing.T) {
	protos, err := filepath.Abs("../../../protos")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(protos); err != nil {
		t.Skip("no protos here: this is the module without the project around it")
	}
	if _, err := exec.LookPath("protoc"); err != nil {
		t.Skip("no protoc here (Debian: protobuf-compiler)")
	}
	for file, here := range map[string]struct {
		descriptor protoreflect.FileDescriptor
		service    grpc.ServiceDesc
	}{
		"leasemap/v1/key_value.proto": {leasemappb.File_leasemap_v1_key_value_proto, leasemappb.KeyValue_ServiceDesc},
		"leasemap/v1/mesh.proto":      {leasemappb.File_leasemap_v1_mesh_proto, leasemappb.Mesh_ServiceDesc},
	} {
		want := parse(t, protos, file)
		if got := protodesc.ToFileDescriptorProto(here.descriptor); !proto.Equal(got, want) {
			t.Errorf("the generated code of %s is not of this proto; run clients/go/generate.sh", file)
		}
		for _, service := range want.GetService() {
			for _, method := range service.GetMethod() {
				if !serves(here.service, method.GetName()) {
					t.Errorf("the stubs of %s lack %s; run clients/go/generate.sh", file, method.GetName())
				}
			}
		}
	}
}

func serves(service grpc.ServiceDesc, method string) bool {
	for _, each := range service.Methods {
		if each.MethodName == method {
			return true
		}
	}
	for _, each := range service.Streams {
		if each.StreamName == method {
			return true
		}
	}
	return false
}

func parse(t *testing.T, protos, file string) *descriptorpb.FileDescriptorProto {
	out := filepath.Join(t.TempDir(), "set")
	said, err := exec.Command("protoc", "-I", protos, "--descriptor_set_out="+out, file).CombinedOutput()
	if err != nil {
		t.Fatalf("protoc %s: %v: %s", file, err, said)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(data, set); err != nil {
		t.Fatal(err)
	}
	// protoc was given one file without what it imports, so the set has one.
	return set.GetFile()[0]
}
