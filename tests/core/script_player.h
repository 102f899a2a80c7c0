// Plays the commands of a script on a Mesh, and gives the lines that each prints. Nodes dial one another by themselves,
// as in a cluster; a write travels only when the script delivers messages or lets time go by.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/core/mesh.h"
#include "tests/core/script.h"
#include "tests/core/script_text.h"

namespace leasemap::core {

class ScriptPlayer {
 public:
  ScriptPlayer();

  // What each command takes (script.h).
  static std::vector<std::string> Usages();

  // The lines that it prints, and after them what it made happen: who is ready, who started again, which call was
  // answered. An error says why it can't be done.
  absl::StatusOr<std::vector<std::string>> Play(const ScriptCommand& command);

 private:
  using Handler = void (ScriptPlayer::*)(const ScriptCommand&);
  struct Definition {
    const char* usage;
    Handler handler;
  };
  static const std::vector<Definition>& Definitions();

  // What was last told of a node, so that changes are.
  struct Seen {
    bool ready = false, clock_trusted = true;
    uint64_t resets = 0;
  };
  struct Open {
    int node;
    WatchFilter filter;
    Watch watch;
    std::string cursor;  // the latest
  };
  struct Kept {
    WatchFilter filter;
    std::string cursor;
  };

  // --- script_player.cc: nodes, links and time
  void Add(const ScriptCommand& command);
  void Dial(const ScriptCommand& command);
  void Link(const ScriptCommand& command);
  void Cut(const ScriptCommand& command);
  void Heal(const ScriptCommand& command);
  void Deliver(const ScriptCommand& command);
  void Settle(const ScriptCommand& command);
  void Tick(const ScriptCommand& command);
  void Clock(const ScriptCommand& command);
  void Kill(const ScriptCommand& command);
  void Leave(const ScriptCommand& command);
  void Restart(const ScriptCommand& command);
  void Reset(const ScriptCommand& command);
  void Forget(const ScriptCommand& command);

  // --- script_calls.cc: what clients call, and what is shown
  void Write(const ScriptCommand& command);
  void Get(const ScriptCommand& command);
  void StartWatch(const ScriptCommand& command);
  void ReadWatch(const ScriptCommand& command);
  void Resume(const ScriptCommand& command);
  void ShowMap(const ScriptCommand& command);
  void ShowVector(const ScriptCommand& command);
  void ShowLease(const ScriptCommand& command);
  void ShowNotes(const ScriptCommand& command);
  void ShowMembers(const ScriptCommand& command);
  void ShowConflicts(const ScriptCommand& command);

  void Fail(const std::string& why);
  void Print(const std::string& line) { out_.push_back(line); }
  // The number of a node that is there, or −1 and a failure; of all of them for no names.
  int NodeOf(const std::string& name);
  int LivingNodeOf(const std::string& name);
  std::vector<int> NodesOf(const std::vector<std::string>& names);
  std::vector<std::pair<int, int>> PairsOf(const std::vector<std::string>& names);
  // As the service's gate does: SYNCING is printed for a call of a node that is not ready.
  bool IsServed(int node);
  bool AreLinked(int a, int b);
  bool CanMeet(int a, int b);
  void Connect(int a, int b);
  std::string RefusalSince(int a, int b, size_t a_lines, size_t b_lines);
  void EndProcess(int node);
  void LookAtTheMesh();
  void TellWhatHappened();
  void TellAnswers(int node);
  // The same lines of several nodes are printed once, after their names.
  void PrintGroups(const std::vector<int>& nodes, const std::vector<std::vector<std::string>>& lines);
  std::string VersionOfName(const std::string& name);
  void PrintGet(int node, const std::string& key, const std::string& prefix);
  void Read(const std::string& name, const std::string& keep_as);

  Mesh mesh_;
  ScriptText text_;
  std::vector<std::string> names_;  // by number
  std::set<std::pair<int, int>> cut_;
  std::map<int, Seen> seen_;
  std::map<int, Image> images_;  // of nodes that are down
  std::map<std::pair<int, WaitId>, std::string> waits_;
  std::map<std::pair<int, WaitId>, std::string> awaited_keys_;  // of a get
  std::map<std::string, Open> watches_;
  std::map<std::string, Kept> cursors_;
  std::vector<std::string> out_;
  std::string failure_;
};

}  // namespace leasemap::core
