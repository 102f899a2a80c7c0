import com.google.protobuf.Any;
import dev.leasemap.v1.Entry;
import dev.leasemap.v1.Event;
import dev.leasemap.v1.GetRequest;
import dev.leasemap.v1.KeyValueGrpc;
import dev.leasemap.v1.KeyValueGrpc.KeyValueBlockingStub;
import dev.leasemap.v1.SetRequest;
import dev.leasemap.v1.WatchRequest;
import dev.leasemap.v1.WatchResponse;
import google.rpc.ErrorDetails.ErrorInfo;
import google.rpc.StatusOuterClass;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.File;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Leasemap from Java with nothing but the generated protos: set, get, watch, and a write that is refused.
 *
 * Example HOST:PORT [HOST:PORT]: the first node takes the write, the second shows it and refuses another.
 *
 * LEASEMAP_TLS_CA (TLS), LEASEMAP_TLS_CERT and LEASEMAP_TLS_KEY (a certificate of one's own) name PEM files;
 * LEASEMAP_TOKEN is a token.
 */
public class Example {
  static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  static String variable(String name) {
    String value = System.getenv(name);
    return value == null ? "" : value;
  }

  static KeyValueBlockingStub connect(String target) throws Exception {
    String ca = variable("LEASEMAP_TLS_CA"), cert = variable("LEASEMAP_TLS_CERT"), token = variable("LEASEMAP_TOKEN");
    // Nodes are next door: proxies are for the web.
    NettyChannelBuilder builder = NettyChannelBuilder.forTarget(target).proxyDetector(address -> null);
    if (ca.isEmpty()) {
      builder.usePlaintext();
    } else {
      SslContextBuilder tls = GrpcSslContexts.forClient().trustManager(new File(ca));
      if (!cert.isEmpty()) tls.keyManager(new File(cert), new File(variable("LEASEMAP_TLS_KEY")));
      builder.sslContext(tls.build());
    }
    Channel channel = builder.build();
    if (!token.isEmpty()) {
      if (ca.isEmpty() && !target.startsWith("127.")) {
        throw new IllegalArgumentException("a token in plain text stays on this machine; set LEASEMAP_TLS_CA");
      }
      Metadata shown = new Metadata(); // with each call
      shown.put(AUTHORIZATION, "Bearer " + token);
      channel = ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(shown));
    }
    return KeyValueGrpc.newBlockingStub(channel);
  }

  static KeyValueBlockingStub soon(KeyValueBlockingStub stub) {
    return stub.withDeadlineAfter(10, TimeUnit.SECONDS).withWaitForReady();
  }

  /** Every error of Leasemap's own carries an ErrorInfo with a reason. */
  static String reason(StatusRuntimeException error) throws Exception {
    byte[] details = error.getTrailers() == null ? null : error.getTrailers().get(DETAILS);
    if (details == null) return "";
    for (Any detail : StatusOuterClass.Status.parseFrom(details).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) return detail.unpack(ErrorInfo.class).getReason();
    }
    return "";
  }

  public static void main(String[] args) throws Exception {
    if (args.length < 1) throw new IllegalArgumentException("usage: Example HOST:PORT [HOST:PORT]");
    KeyValueBlockingStub first = connect(args[0]), second = connect(args[args.length - 1]);
    Iterator<WatchResponse> watch = soon(second).watch(WatchRequest.newBuilder().addKeys("color").build());
    watch.next(); // the first message comes at once: now it listens

    soon(first).set(SetRequest.newBuilder().setKey("color").setValue("blue").build());
    System.out.println("set color=blue");

    Entry entry = soon(first).get(GetRequest.newBuilder().setKey("color").build()).getEntry();
    System.out.println("get color=" + entry.getValue() + ", leased by " + entry.getLease().getHolder());

    List<Event> events = watch.next().getEventsList();
    while (events.isEmpty()) events = watch.next().getEventsList();
    System.out.println("watch saw color=" + events.get(0).getEntry().getValue());

    try {
      soon(second).set(SetRequest.newBuilder().setKey("color").setValue("red").setHolder("someone-else").build());
      System.err.println("the write of another holder was not refused");
      System.exit(1);
    } catch (StatusRuntimeException error) {
      System.out.println("refused: " + reason(error) + ": " + error.getStatus().getDescription());
    }
    System.exit(0); // the watch and the channels go with the program
  }
}
