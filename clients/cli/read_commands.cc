// The commands that read the map: get, for one key or several, and ls.
#include <algorithm>
#include <iostream>
#include <string>

#include "absl/time/clock.h"
#include "clients/cli/commands.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/text.h"
#include "clients/cli/print.h"
#include "clients/cli/terminal.h"
#include "text/utf8.h"

namespace leasemap::cli {
namespace {

// The most that one page of List, or one BatchGet, can hold.
constexpr size_t kMostItems = 1000;

void Show(const Options& options, const v1::Entry& entry) {
  if (options.json) {
    PrintJson(entry);
  } else if (options.keys.size() > 1) {
    PrintListed(entry);
  } else if (options.raw) {
    std::cout << ValueOf(entry);
  } else if (options.meta && entry.has_value_bytes()) {
    std::cout << Escape(ValueOf(entry)) << "\n";
  } else {
    PrintValue(entry);
  }
  if (options.meta && !options.json) PrintMeta(entry, absl::Now());
}

int GetOne(Connection& connection) {
  const Options& options = connection.options();
  v1::GetRequest request;
  v1::GetResponse response;
  PutKey(options.keys.front(), request);
  request.set_min_version(options.min_version);
  const int exit_code = connection.Call(&v1::KeyValue::Stub::Get, request, response);
  if (exit_code == kDone) Show(options, response.entry());
  return exit_code;
}

// Asks for several keys in as few calls as they fit in, and shows them in the order of the arguments.
class ManyGets {
 public:
  explicit ManyGets(Connection& connection) : connection_(connection) {}

  int Run() {
    while (next_ < connection_.options().keys.size() && std::cout) {
      if (const int exit_code = AskForSome(); exit_code != kDone) return exit_code;
    }
    return refused_ ? kRefused : kDone;
  }

 private:
  // One call, from the next key on. Another exit code than kDone: the whole call failed.
  int AskForSome() {
    const Options& options = connection_.options();
    v1::BatchGetRequest request;
    v1::BatchGetResponse response;
    const size_t end = std::min(options.keys.size(), next_ + kMostItems);
    for (size_t i = next_; i < end; ++i) {
      v1::GetRequest* get = request.add_requests();
      PutKey(options.keys[i], *get);
      get->set_min_version(options.min_version);
    }
    const int exit_code = connection_.Call(&v1::KeyValue::Stub::BatchGet, request, response);
    if (exit_code != kDone) return exit_code;
    const size_t first = next_;
    for (const v1::BatchResult& result : response.results()) {
      // The answer was full before this key: it is asked for again, unless it does not fit into an answer of its own.
      if (result.status().reason() == "BYTES_LIMIT" && next_ > first) return kDone;
      ++next_;
      Take(result);
    }
    if (next_ > first) return kDone;
    Complain() << "the node's answer is empty; is it a node of another version?\n";
    return kRefused;
  }

  void Take(const v1::BatchResult& result) {
    if (result.status().code() == 0) {
      Show(connection_.options(), result.entry());
    } else {
      refused_ = true;
      Complain() << result.status().message() << "\n";
    }
  }

  Connection& connection_;
  size_t next_ = 0;  // the first key that is not asked for yet
  bool refused_ = false;
};

void PutRange(const Options& options, v1::ListRequest& request) {
  if (options.prefix) PutPrefix(*options.prefix, request);
  if (options.start_key) {
    text::IsUtf8(*options.start_key) ? request.set_start_key(*options.start_key)
                                     : request.set_start_key_bytes(*options.start_key);
  }
  if (options.end_key) {
    text::IsUtf8(*options.end_key) ? request.set_end_key(*options.end_key)
                                   : request.set_end_key_bytes(*options.end_key);
  }
}

}  // namespace

int Get(Connection& connection) {
  return connection.options().keys.size() == 1 ? GetOne(connection) : ManyGets(connection).Run();
}

int List(Connection& connection) {
  const Options& options = connection.options();
  v1::ListRequest request;
  PutRange(options, request);
  request.set_keys_only(options.keys_only);
  uint64_t left = options.limit > 0 ? options.limit : UINT64_MAX;
  LongList long_list(options.keys_only);
  do {
    request.set_page_size(static_cast<int32_t>(std::min<uint64_t>(left, kMostItems)));
    v1::ListResponse page;
    const int exit_code = connection.Call(&v1::KeyValue::Stub::List, request, page);
    if (exit_code != kDone) return exit_code;
    const uint64_t count = std::min(left, static_cast<uint64_t>(page.entries_size()));
    if (options.long_form && !options.json) {
      long_list.Print(page.entries(), count, absl::Now());
    } else {
      for (size_t i = 0; i < count; ++i) {
        const v1::Entry& entry = page.entries(static_cast<int>(i));
        options.json ? PrintJson(entry) : PrintListed(entry);
      }
    }
    left -= count;
    request.set_page_token(page.next_page_token());
  } while (left > 0 && !request.page_token().empty() && std::cout);
  return kDone;
}

}  // namespace leasemap::cli
