// How a message that came compressed is read: as a stream, with a bound on what it inflates to.
//
// gRPC inflates whole messages before it looks at their size: 400 KB may become 400 MB. The server tells it not to
// (GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION), and gets the bytes as they came. This specialisation, which each
// generated *.grpc.pb.h includes, reads them piece by piece into the message, and gives up at the bound.
#ifndef LEASEMAP_PROTOS_INFLATE_H_
#define LEASEMAP_PROTOS_INFLATE_H_

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/gzip_stream.h>
#include <grpc/impl/codegen/grpc_types.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>

#include <type_traits>

namespace leasemap {
// A request of the largest size that is taken (server/rpc/server.cc) comes out of no more.
inline constexpr int kMaxInflatedBytes = 16 << 20;
}  // namespace leasemap

namespace grpc {
namespace internal {
// gRPC names this class as a friend of ByteBuffer, and leaves its definition to programs that need it.
class GrpcByteBufferPeer {
 public:
  static grpc_byte_buffer* Raw(ByteBuffer& buffer) { return buffer.c_buffer(); }
};
}  // namespace internal

template <class T>
requires std::is_base_of_v<grpc::protobuf::MessageLite, T>
class SerializationTraits<T, typename std::enable_if<std::is_base_of<grpc::protobuf::MessageLite, T>::value>::type> {
 public:
  static Status Serialize(const grpc::protobuf::MessageLite& message, ByteBuffer* buffer, bool* own_buffer) {
    return GenericSerialize<ProtoBufferWriter, T>(message, buffer, own_buffer);
  }

  static Status Deserialize(ByteBuffer* buffer, grpc::protobuf::MessageLite* message) {
    grpc_byte_buffer* raw = buffer != nullptr ? internal::GrpcByteBufferPeer::Raw(*buffer) : nullptr;
    if (raw == nullptr || raw->data.raw.compression == GRPC_COMPRESS_NONE) {
      return GenericDeserialize<ProtoBufferReader, T>(buffer, message);
    }
    raw->data.raw.compression = GRPC_COMPRESS_NONE;  // so that the reader gives the bytes as they are
    bool whole = false;
    {
      ProtoBufferReader reader(buffer);
      if (!reader.status().ok()) return reader.status();
      google::protobuf::io::GzipInputStream inflated(&reader);  // finds out whether it is gzip or deflate
      google::protobuf::io::CodedInputStream coded(&inflated);
      coded.SetTotalBytesLimit(leasemap::kMaxInflatedBytes);
      whole = message->ParseFromCodedStream(&coded) && coded.ConsumedEntireMessage() && inflated.ZlibErrorCode() >= 0 &&
              coded.CurrentPosition() < leasemap::kMaxInflatedBytes;
    }
    buffer->Clear();
    return whole ? Status::OK : Status(StatusCode::INVALID_ARGUMENT, "the compressed message is broken or too large");
  }
};
}  // namespace grpc

#endif  // LEASEMAP_PROTOS_INFLATE_H_
