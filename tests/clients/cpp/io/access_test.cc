// Tokens and refusals, against a node that looks at what each call shows; options and files that are wrong.
#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "absl/synchronization/notification.h"
#include "clients/cpp/core/requests.h"
#include "leasemap/client.h"
#include "leasemap/lock.h"
#include "leasemap/sync_map.h"
#include "leasemap/v1/mesh.grpc.pb.h"
#include "tests/clients/cpp/io/fake_node.h"
#include "tests/matchers/status.h"

namespace leasemap::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr char kOfAlice[] = "alice/.+-[0-9]+-[0-9a-f]+";
constexpr char kSecret[] = "secret";

// A node that knows callers by their tokens.
class KnowingNode final : public v1::KeyValue::Service {
 public:
  KnowingNode() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    builder.RegisterService(&mesh_);
    server_ = builder.BuildAndStart();
    target_ = "127.0.0.1:" + std::to_string(port);
  }
  ~KnowingNode() override { server_->Shutdown(std::chrono::system_clock::now()); }

  const std::string& target() const { return target_; }
  void Know(const std::string& token, const std::string& name) {
    absl::MutexLock lock(&mutex_);
    names_[token] = name;
  }
  void Deny(const std::string& method) {
    absl::MutexLock lock(&mutex_);
    denied_.insert(method);
  }
  // Each call's method and token.
  std::vector<std::string> calls() const {
    absl::MutexLock lock(&mutex_);
    return calls_;
  }
  int Count(const std::string& method) const {
    const std::vector<std::string> all = calls();
    return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const auto& each) {
      return each.compare(0, method.size() + 1, method + " ") == 0;
    }));
  }

  grpc::Status Look(grpc::ServerContext& context, const std::string& method) {
    const auto shown = context.client_metadata().find("authorization");
    std::string token;
    if (shown != context.client_metadata().end()) token.assign(shown->second.data(), shown->second.size());
    if (token.rfind("Bearer ", 0) == 0) token = token.substr(7);
    absl::MutexLock lock(&mutex_);
    calls_.push_back(method + " " + token);
    const auto name = names_.find(token);
    if (name == names_.end()) return Refusal(grpc::StatusCode::UNAUTHENTICATED, "UNAUTHENTICATED");
    if (!name->second.empty()) context.AddTrailingMetadata("leasemap-principal", name->second);
    return denied_.contains(method) ? Refusal(grpc::StatusCode::PERMISSION_DENIED, "PERMISSION_DENIED")
                                    : grpc::Status::OK;
  }

  grpc::Status Set(grpc::ServerContext* context, const v1::SetRequest* request, v1::SetResponse* answer) override {
    answer->mutable_entry()->set_key_bytes(request->key_bytes());
    answer->mutable_entry()->mutable_lease()->set_holder(request->holder());
    answer->mutable_entry()->set_version("v");
    return Look(*context, "Set");
  }
  grpc::Status Get(grpc::ServerContext* context, const v1::GetRequest*, v1::GetResponse* answer) override {
    answer->mutable_entry();
    return Look(*context, "Get");
  }
  grpc::Status Renew(grpc::ServerContext* context, const v1::RenewRequest*, v1::RenewResponse* answer) override {
    answer->mutable_entry();
    return Look(*context, "Renew");
  }
  grpc::Status BatchSet(grpc::ServerContext* context, const v1::BatchSetRequest* request,
                        v1::BatchSetResponse* answer) override {
    for (const v1::SetRequest& each : request->requests()) {
      v1::Entry& entry = *answer->add_results()->mutable_entry();
      entry.set_key_bytes(each.key_bytes());
      entry.mutable_lease()->set_holder(each.holder());
    }
    return Look(*context, "BatchSet");
  }
  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest*,
                     grpc::ServerWriter<v1::WatchResponse>*) override {
    return Look(*context, "Watch");
  }

 private:
  class Mesh final : public v1::Mesh::Service {
   public:
    explicit Mesh(KnowingNode& node) : node_(node) {}
    grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest*, v1::GetStatusResponse*) override {
      return node_.Look(*context, "GetStatus");
    }

   private:
    KnowingNode& node_;
  };

  mutable absl::Mutex mutex_;  // guards what follows
  std::map<std::string, std::string> names_ ABSL_GUARDED_BY(mutex_) = {{kSecret, "alice"}};
  std::set<std::string> denied_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mutex_);
  Mesh mesh_{*this};
  std::unique_ptr<grpc::Server> server_;
  std::string target_;
};

std::string HolderOfSet(Client& client) {
  const absl::StatusOr<Entry> set = client.Set("k", "v");
  EXPECT_THAT(set, IsOk());
  return set.ok() ? set->holder : "";
}

TEST(Token, GoesWithEachCallAndNamesTheHolder) {
  KnowingNode node;
  Client client({node.target()}, {.token = kSecret});
  EXPECT_THAT(client.holder(), Not(HasSubstr("/")));
  EXPECT_THAT(HolderOfSet(client), MatchesRegex(kOfAlice));
  EXPECT_EQ(HolderOfSet(client), client.holder());
  EXPECT_EQ(client.BatchSet({{"a", "1"}})[0]->holder, client.holder());
  EXPECT_THAT(node.calls(), ElementsAre("GetStatus secret", "Set secret", "Set secret", "BatchSet secret"));
}

TEST(Token, IdentifyAsksOnce) {
  KnowingNode node;
  Client client({node.target()}, {.token = kSecret});
  for (int i = 0; i < 2; ++i) EXPECT_THAT(*client.Identify(), MatchesRegex(kOfAlice));
  EXPECT_EQ(HolderOfSet(client), client.holder());
  EXPECT_EQ(node.Count("GetStatus"), 1);
}

TEST(Token, AnyAnswerSaysTheName) {
  KnowingNode node;
  Client client({node.target()}, {.token = kSecret});
  ASSERT_THAT(client.Get("k"), IsOk());
  EXPECT_THAT(HolderOfSet(client), MatchesRegex(kOfAlice));
  EXPECT_EQ(node.Count("GetStatus"), 0);
}

TEST(Token, WhoAsksForAName) {
  struct Case {
    ClientOptions options;
    std::string name;
    bool denied;
    int asked;
    bool alice;
  };
  for (const Case& each : {Case{{.holder = "me", .token = kSecret}, "alice", false, 0, false},
                           Case{{.token = kSecret}, "", false, 1, false}, Case{{.token = kSecret}, "", true, 1, false},
                           Case{{.token = kSecret}, "alice", true, 1, true}, Case{{}, "alice", false, 0, false}}) {
    KnowingNode node;
    node.Know(kSecret, each.name);
    node.Know("", "");
    if (each.denied) node.Deny("GetStatus");
    Client client({node.target()}, each.options);
    EXPECT_EQ(HolderOfSet(client).rfind("alice/", 0) == 0, each.alice);
    EXPECT_EQ(node.Count("GetStatus"), each.asked);
  }
}

TEST(Token, OfALongNameTheRandomBitsRemain) {
  EXPECT_EQ(HolderOf("alice", "host-1-abcdef01"), "alice/host-1-abcdef01");
  EXPECT_EQ(HolderOf(std::string(254, 'p'), "host"), std::string(254, 'p'));
  EXPECT_EQ(HolderOf(std::string(250, 'p'), "host-01\xC3\xB6"), std::string(250, 'p') + "/01\xC3\xB6");
  EXPECT_EQ(HolderOf(std::string(252, 'p'), "h\xC3\xB6x"), std::string(252, 'p') + "/x");
}

TEST(Refusal, IsNotTriedAgain) {
  for (const std::string token : {kSecret, "unknown"}) {
    const bool known = token == kSecret;
    KnowingNode node;
    for (const char* method : {"Set", "Get", "Renew", "Watch"}) node.Deny(method);
    Client client({node.target()}, {.holder = "me", .token = token});
    const auto is_refused = [known](const absl::Status& status) {
      return known ? absl::IsPermissionDenied(status) : absl::IsUnauthenticated(status);
    };
    EXPECT_TRUE(is_refused(client.Set("k", "v").status()));
    EXPECT_TRUE(is_refused(client.Acquire("k", {.wait = absl::InfiniteDuration()}).status()));
    absl::Notification over;
    absl::Status why;
    const Subscription watch = client.Watch(
        {}, [](const Event&) {},
        [&](const absl::Status& status) {
          why = status;
          over.Notify();
        });
    over.WaitForNotification();
    EXPECT_TRUE(is_refused(why)) << why;
    SyncMap map(client);
    EXPECT_TRUE(is_refused(map.WaitSynced()));
    EXPECT_TRUE(is_refused(map.refused()));
    EXPECT_FALSE(map.synced());
    EXPECT_EQ(node.Count("Set"), 1);
    EXPECT_EQ(node.Count("Renew"), 1);
    EXPECT_EQ(node.Count("Watch"), 2);
  }
}

TEST(Refusal, OfANameIsTheErrorOfTheCall) {
  KnowingNode node;
  Client client({node.target()}, {.token = "unknown"});
  EXPECT_TRUE(absl::IsUnauthenticated(client.Set("k", "v").status()));
  EXPECT_TRUE(absl::IsUnauthenticated(client.BatchSet({{"k", "v"}, {"l", "v"}})[1].status()));
  EXPECT_TRUE(absl::IsUnauthenticated(Lock(client, "lock").Acquire().status()));
  EXPECT_TRUE(absl::IsUnauthenticated(client.Identify().status()));
  EXPECT_EQ(node.Count("Set"), 0);
}

TEST(Token, StaysOnThisMachineInPlainText) {
  for (const char* target : {"10.0.0.1:7400", "[2001:db8::1]:7400", "127.0.0.1:7400,10.0.0.1:7400"}) {
    Client client({target}, {.token = kSecret});
    EXPECT_TRUE(absl::IsInvalidArgument(client.status())) << client.status();
    EXPECT_THAT(std::string(client.status().message()), HasSubstr("plain text"));
    EXPECT_THAT(std::string(client.status().message()), Not(HasSubstr(kSecret)));
  }
  EXPECT_THAT(Client({"10.0.0.1:7400"}, {.token = kSecret, .insecure_token = true}).status(), IsOk());
  EXPECT_THAT(Client({"127.1.2.3:7400,[::1]:7400"}, {.token = kSecret}).status(), IsOk());
}

// A file of the test's own.
class File {
 public:
  explicit File(const std::string& text) { Replace(text); }
  ~File() { std::remove(name_.c_str()); }
  void Replace(const std::string& text) {
    std::ofstream(name_ + ".new") << text;
    std::rename((name_ + ".new").c_str(), name_.c_str());
  }
  const std::string& name() const { return name_; }

 private:
  const std::string name_ = ::testing::TempDir() + "leasemap-access-" + std::to_string(getpid());
};

TEST(Token, OfAFileIsReadAgain) {
  KnowingNode node;
  node.Know("another", "alice");
  File file(" secret\n");
  Client client({node.target()}, {.holder = "me", .token_file = file.name()});
  HolderOfSet(client);
  file.Replace("another\n");
  HolderOfSet(client);
  file.Replace("\n");  // no token: the last one counts
  HolderOfSet(client);
  EXPECT_THAT(node.calls(), ElementsAre("Set secret", "Set another", "Set another"));
}

TEST(Options, ThatAreWrongAreNamed) {
  const File empty("");
  const std::string missing = empty.name() + "-missing";
  for (const ClientOptions& options :
       {ClientOptions{.tls_cert = "c"}, ClientOptions{.tls_key = "k"}, ClientOptions{.tls_ca = empty.name()},
        ClientOptions{.tls_ca = missing}, ClientOptions{.tls_cert = empty.name(), .tls_key = empty.name()},
        ClientOptions{.token = "two words"}, ClientOptions{.token_file = empty.name()},
        ClientOptions{.token_file = missing}, ClientOptions{.token = "a", .token_file = empty.name()}}) {
    const absl::Status status = Client({"127.0.0.1:9"}, options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("two words")));
  }
}

TEST(Options, OfTheEnvironment) {
  setenv("LEASEMAP_TLS_CA", "ca", 1);  // NOLINT(concurrency-mt-unsafe): no client lives
  setenv("LEASEMAP_TOKEN", "", 1);     // NOLINT(concurrency-mt-unsafe)
  const ClientOptions found = FromEnvironment({.holder = "me", .token = "mine"});
  unsetenv("LEASEMAP_TLS_CA");  // NOLINT(concurrency-mt-unsafe)
  unsetenv("LEASEMAP_TOKEN");   // NOLINT(concurrency-mt-unsafe)
  EXPECT_EQ(found.tls_ca, "ca");
  EXPECT_EQ(found.token, "mine");
  EXPECT_EQ(found.holder, "me");
  EXPECT_EQ(FromEnvironment({.token = "mine", .token_file = "file"}).token, "");
}

}  // namespace
}  // namespace leasemap::internal
