#include "tests/e2e/cpp_client/things.h"

#include <utility>

namespace leasemap::e2e {
namespace {

Answer Shown(const absl::StatusOr<Entry>& entry) {
  if (!entry.ok()) return {.status = entry.status()};
  return {.result = ShowEntry(*entry)};
}

Answer Batch(const std::vector<std::string>& keys, const Client::BatchAnswer& results) {
  Answer answer;
  std::map<std::string, Value> values;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (results[i].ok()) {
      values[keys[i]] = Text(results[i]->value);
    } else if (ReasonOf(results[i].status()) != reason::kKeyNotFound) {
      answer.status = results[i].status();
      answer.failed.push_back(keys[i]);
    }
  }
  answer.result = Object(values);
  return answer;
}

Answer ListAll(Client& client, const std::string& prefix) {
  std::vector<Value> keys;
  const absl::Status status = client.ForEach(prefix,
                                             [&keys](const Entry& entry) {
                                               keys.push_back(Text(entry.key));
                                               return true;
                                             },
                                             {.page_size = 2});
  return {.result = List(keys), .status = status};
}

Answer Call(const Command& c, Client& client) {
  if (c.op == "node") return {.result = Text(client.node())};
  if (c.op == "set") {
    return Shown(client.Set(c.key, c.value,
                            {.lease = c.lease,
                             .ephemeral = c.Has("ephemeral"),
                             .if_absent = c.Has("absent"),
                             .ack = c.Acks(),
                             .timeout = c.timeout}));
  }
  if (c.op == "get") return Shown(client.Get(c.key, {.timeout = c.timeout}));
  if (c.op == "delete") return Shown(client.Delete(c.key, {.allow_missing = c.Has("missing"), .timeout = c.timeout}));
  if (c.op == "renew") return Shown(client.Renew(c.key));
  if (c.op == "release") return Shown(client.Release(c.key));
  if (c.op == "list") return ListAll(client, c.key);
  if (c.op == "batch_get") return Batch(c.keys, client.BatchGet(c.keys));
  if (c.op == "batch_set") {
    std::vector<std::string> keys;
    for (const auto& [key, value] : c.values) keys.push_back(key);
    return Batch(keys, client.BatchSet({c.values.begin(), c.values.end()}));
  }
  if (c.op == "count") return CountUp(client, c.key);
  if (c.op == "close") {
    client.Close();
    return {};
  }
  return {.status = absl::UnimplementedError("a client has no " + c.op)};
}

Answer TakeLease(const Command& c, Client& client, Thing& made) {
  LeaseOptions options{.persistent = c.Has("persistent"), .ack = c.Acks()};
  if (c.lease) options.duration = *c.lease;
  if (c.Has("wait")) options.wait = c.timeout.value_or(absl::InfiniteDuration());
  if (!c.value.empty()) options.value = c.value;
  absl::StatusOr<Lease> lease = client.Acquire(c.key, options);
  if (!lease.ok()) return {.status = lease.status()};
  auto kept = std::make_shared<Lease>(*std::move(lease));
  made = kept;
  return {.result = ShowLease(*kept)};
}

void Follow(const Command& c, Client& client, const std::shared_ptr<Told>& told) {
  told->Keep(client.Watch(
      {.prefixes = c.keys, .snapshot = c.Has("snapshot"), .cursor = c.cursor, .bookmarks = true},
      [told = told.get()](const Event& event) { told->Add(event); },
      [told = told.get()](const absl::Status& status) { told->End(status); }));
}

Answer OnClient(const Command& c, const std::shared_ptr<Client>& client, Thing& made) {
  if (c.op == "map") {
    const auto map = std::make_shared<SyncMap>(*client, MapOptions{.prefix = c.key});
    made = MapThing{client, map};
    return {.status = map->WaitSynced(c.timeout.value_or(absl::Seconds(10)))};
  }
  if (c.op == "registry") {
    const auto registry = std::make_shared<Registry>(*client, c.key);
    made = RegistryThing{client, registry};
    return {.status = registry->WaitSynced()};
  }
  if (c.op == "watch") {
    const auto told = std::make_shared<Told>();
    made = told;
    Follow(c, *client, told);
    return {};
  }
  if (c.op == "lease") return TakeLease(c, *client, made);
  if (c.op == "churn") {
    made = std::make_shared<Churn>(client, c.key);
    return {};
  }
  return Call(c, *client);
}

Answer OnMap(const Command& c, SyncMap& map, Thing& made) {
  if (c.op == "synced") return {.result = Bool(map.synced())};
  if (c.op == "read") {
    std::map<std::string, Value> values;
    for (const auto& entry : map.Entries()) values[entry->key] = Text(entry->value);
    return {.result = Object(values)};
  }
  if (c.op == "events") {
    const auto told = std::make_shared<Told>();
    made = told;
    told->Keep(map.OnEvent([told = told.get()](const Event& event) { told->Add(event); }));
    return {};
  }
  return {.status = absl::UnimplementedError("a map has no " + c.op)};
}

Answer OnLease(const Command& c, Lease& lease) {
  if (c.op == "wait") lease.WaitOver(absl::InfiniteDuration());
  if (c.op == "wait" || c.op == "state") return {.result = ShowLease(lease)};
  if (c.op == "set") return Shown(lease.Set(c.value));
  if (c.op == "release") return {.status = lease.Release()};
  return {.status = absl::UnimplementedError("a lease has no " + c.op)};
}

Answer OnRegistry(const Command& c, Registry& registry) {
  if (c.op == "register") return {.status = registry.Register(c.key, c.value)};
  if (c.op == "unregister") return {.status = registry.Unregister(c.key)};
  if (c.op == "instances") {
    std::map<std::string, Value> values;
    for (const auto& [name, value] : registry.Instances()) values[name] = Text(value);
    return {.result = Object(values)};
  }
  return {.status = absl::UnimplementedError("a registry has no " + c.op)};
}

}  // namespace

Answer Do(const Command& command, const Thing& on, Thing& made) {
  if (const auto* client = std::get_if<std::shared_ptr<Client>>(&on)) return OnClient(command, *client, made);
  if (const auto* map = std::get_if<MapThing>(&on)) return OnMap(command, *map->map, made);
  if (const auto* lease = std::get_if<std::shared_ptr<Lease>>(&on)) return OnLease(command, **lease);
  if (const auto* registry = std::get_if<RegistryThing>(&on)) return OnRegistry(command, *registry->registry);
  if (const auto* told = std::get_if<std::shared_ptr<Told>>(&on)) return (*told)->Do(command);
  if (const auto* churn = std::get_if<std::shared_ptr<Churn>>(&on)) return (*churn)->Do(command);
  return {.status = absl::NotFoundError("there is no such thing")};
}

}  // namespace leasemap::e2e
