// What lets `leasemap watch` go on after its stream broke without printing anything twice. A stream resumes from its
// last cursor, so what was printed after that cursor comes again; and a stream that broke before its first cursor
// starts its snapshot anew, perhaps on a node that has not caught up yet.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_RESUME_H_
#define LEASEMAP_CLIENTS_CLI_CORE_RESUME_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "leasemap/v1/key_value.pb.h"

namespace leasemap::cli {

// Decides event by event. Holds what was printed since the last cursor, so it is as large as that: one snapshot at
// most.
class ResumeFilter {
 public:
  // True if the event is to be printed: neither printed since the last cursor nor older than what was printed of its
  // key.
  bool Admit(const v1::Event& event);

  // A cursor came: nothing from before it comes again.
  void OnCursor();

  // The stream broke and is asked for anew.
  void OnRestart() { ++stream_; }

  // The snapshot is complete: keys that a broken earlier snapshot showed and this one did not, since they were deleted
  // in between. Each is a KIND_DELETED event with nothing but the key, and is forgotten here: whatever comes of it is
  // news.
  std::vector<v1::Event> OnSnapshotEnd();

 private:
  // What was printed last of one key.
  struct Printed {
    v1::Event::Kind kind = v1::Event::KIND_UNSPECIFIED;
    std::string version;
    // The part of the entry's rank that a client can see, compared in this order (larger, smaller, larger stands).
    std::string fencing_token;
    std::string holder;
    int64_t update_ns = 0;
    uint64_t stream = 0;  // the stream that showed the key last
  };

  static Printed Describe(const v1::Event& event);
  static bool Older(const Printed& a, const Printed& b);

  uint64_t stream_ = 0;  // counts the streams of this watch
  std::map<std::string, Printed> printed_;
  std::set<std::string> lost_;  // versions told by LOST events, which follow no order
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_RESUME_H_
