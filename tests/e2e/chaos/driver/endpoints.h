// The nodes as the driver's clients see them: a channel each, which goes on trying while its node is away.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "leasemap/v1/key_value.grpc.pb.h"

namespace leasemap::chaos {

struct Endpoint {
  std::string name;
  std::unique_ptr<v1::KeyValue::Stub> writes;
  std::unique_ptr<v1::KeyValue::Stub> watches;  // a channel of its own: streams do not queue behind the load
};

// From "n1=10.0.0.1:7400,n2=…"; none if the text is not of this form.
std::vector<Endpoint> MakeEndpoints(const std::string& text);

// The ErrorInfo reason of an error of Leasemap's own, or else the name of gRPC's code.
std::string ReasonOf(const grpc::Status& status);

// The clock that all processes of this machine share, in microseconds; no fault of the test moves it.
int64_t NowUs();

}  // namespace leasemap::chaos
