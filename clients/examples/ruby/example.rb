# Leasemap from Ruby with nothing but the generated protos: set, get, watch, and a write that is refused.
#
# example.rb HOST:PORT [HOST:PORT]     the first node takes the write, the second shows it and refuses another
#
# LEASEMAP_TLS_CA (TLS), LEASEMAP_TLS_CERT and LEASEMAP_TLS_KEY (a certificate of one's own) name PEM files;
# LEASEMAP_TOKEN is a token.
require "google/protobuf/well_known_types"
require "google/rpc/error_details_pb"
require "google/rpc/status_pb"
require "leasemap/v1/key_value_services_pb"

PB = Leasemap::V1
$stdout.sync = true

# Of the file that the variable names; nil if it names none.
def contents(variable)
  path = ENV[variable].to_s
  path.empty? ? nil : File.read(path)
end

CA, KEY, CERT = %w[CA KEY CERT].map { |name| contents("LEASEMAP_TLS_#{name}") }
TOKEN = ENV["LEASEMAP_TOKEN"].to_s
SHOWN = TOKEN.empty? ? {} : { "authorization" => "Bearer #{TOKEN}" } # with each call

def connect(target)
  abort "a token in plain text stays on this machine; set LEASEMAP_TLS_CA" unless SHOWN.empty? || CA || target =~ /\A127\./
  # Without these a channel whose first attempt is refused may wait 5 to 10 s for the next.
  options = { "grpc.initial_reconnect_backoff_ms" => 100, "grpc.max_reconnect_backoff_ms" => 500,
              "grpc.enable_http_proxy" => 0 } # nodes are next door: http_proxy is for the web
  credentials = CA ? GRPC::Core::ChannelCredentials.new(CA, KEY, CERT) : :this_channel_is_insecure
  PB::KeyValue::Stub.new(target, credentials, channel_args: options)
end

def within(seconds)
  { deadline: Time.now + seconds, metadata: SHOWN }
end

# Every error of Leasemap's own carries an ErrorInfo with a reason.
def reason(error)
  details = error.metadata["grpc-status-details-bin"] or return ""
  any = Google::Rpc::Status.decode(details).details.find { |detail| detail.is(Google::Rpc::ErrorInfo) }
  any ? any.unpack(Google::Rpc::ErrorInfo).reason : ""
end

abort "usage: example.rb HOST:PORT [HOST:PORT]" if ARGV.empty?
first, second = connect(ARGV.first), connect(ARGV.last)

watch = second.watch(PB::WatchRequest.new(keys: ["color"]), **within(10))
watch.next # the first message comes at once: now it listens

first.set(PB::SetRequest.new(key: "color", value: "blue"), **within(5))
puts "set color=blue"

entry = first.get(PB::GetRequest.new(key: "color"), **within(5)).entry
puts "get color=#{entry.value}, leased by #{entry.lease.holder}"

events = watch.next.events.to_a
events = watch.next.events.to_a while events.empty?
puts "watch saw color=#{events.first.entry.value}"

begin
  second.set(PB::SetRequest.new(key: "color", value: "red", holder: "someone-else"), **within(5))
  abort "the write of another holder was not refused"
rescue GRPC::BadStatus => error
  puts "refused: #{reason(error)}: #{error.details}"
end
