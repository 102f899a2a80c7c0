// Lets `leasemap watch` continue after its stream broke. A stream resumes from its last cursor, so events that were
// printed after that cursor come again, and are not printed twice. A write that was printed after that cursor may have
// died with its node: then the present entry of its key is printed. A stream that broke before its first cursor starts
// its snapshot again, perhaps on a node that has not caught up yet.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_RESUME_H_
#define LEASEMAP_CLIENTS_CLI_CORE_RESUME_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "leasemap/v1/key_value.pb.h"

namespace leasemap::cli {

// Decides event by event. Holds what was printed since the last cursor, so it is as large as that: one snapshot at
// most.
class ResumeFilter {
 public:
  // True if the event is to be printed now. False if it was printed since the last cursor; and if an earlier stream
  // printed something newer of its key, which may come again: the event waits until a cursor shows which one remains.
  bool Admit(const v1::Event& event);

  // Before OnCursor: keys of which an earlier stream printed something since the last cursor, and the present one
  // nothing. The caller asks the node for each and calls Learn.
  std::vector<std::string> Unknown() const;
  // The node's entry of a key that Unknown named; null: it has none.
  void Learn(const std::string& key, const v1::Entry* entry);

  // A cursor came: no event from before it comes again. Returns the present entry of each key whose printed event the
  // present stream did not have; for a key that is gone a KIND_DELETED event with nothing but the key.
  std::vector<v1::Event> OnCursor();

  // The stream broke and is asked for again.
  void OnRestart();

  // The snapshot is complete. Returns the same as OnCursor, of keys that a broken earlier snapshot showed.
  std::vector<v1::Event> OnSnapshotEnd() { return TakeBack(); }

 private:
  // The last printed event of one key.
  struct Printed {
    v1::Event::Kind kind = v1::Event::KIND_UNSPECIFIED;
    std::string version;
    // The part of the entry's rank that a client can see, compared in this order (the larger, the smaller, the
    // larger, the larger one remains).
    std::string fencing_token;
    std::string holder;
    int64_t value_ns = 0;
    int64_t update_ns = 0;
    bool confirmed = true;              // the present stream showed it, too
    std::optional<v1::Event> standing;  // what the present stream has instead, of lower rank
  };

  static Printed Describe(const v1::Event& event);
  static bool Older(const Printed& a, const Printed& b);

  std::vector<v1::Event> TakeBack();

  std::map<std::string, Printed> printed_;
  std::set<std::string> lost_;  // versions of LOST events, which follow no order
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_RESUME_H_
