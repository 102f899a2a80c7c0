"""The generated code of protos/leasemap/v1: key_value_pb2, key_value_pb2_grpc, mesh_pb2 and mesh_pb2_grpc.

The build of the package makes it (generate.py). It is there for calls that the library does not wrap, such as
Mesh.GetStatus.
"""
