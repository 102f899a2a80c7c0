// What happened, as one number and as a tail of lines: two runs of a seed must give the same number.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

namespace leasemap::sim {

class Trace {
 public:
  // Lines are kept for a replay only; the number is always made.
  explicit Trace(bool keep_lines) : keep_lines_(keep_lines) {}

  // FNV-1a over the bytes of the name and, a word at a time, over the numbers.
  void Note(int64_t at_us, const char* what, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
    for (const char* p = what; *p != 0; ++p) Mix(static_cast<uint8_t>(*p));
    for (const uint64_t part : {static_cast<uint64_t>(at_us), a, b, c}) Mix(part);
    ++events_;
    if (keep_lines_) {
      Say(at_us, std::string(what) + " " + std::to_string(a) + " " + std::to_string(b) + " " + std::to_string(c));
    }
  }
  // A line for people, no part of the number.
  void Say(int64_t at_us, const std::string& text) {
    if (!keep_lines_) return;
    lines_.push_back(std::to_string(at_us / 1000) + "." + std::to_string(at_us % 1000 / 100) + " ms: " + text);
    if (lines_.size() > kLines) lines_.pop_front();
  }

  bool keeps_lines() const { return keep_lines_; }
  uint64_t hash() const { return hash_; }
  uint64_t events() const { return events_; }
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  static constexpr size_t kLines = 20000;
  void Mix(uint64_t word) {
    hash_ = (hash_ ^ word) * 0x100000001b3;
    hash_ ^= hash_ >> 32;
  }

  bool keep_lines_;
  uint64_t hash_ = 0xcbf29ce484222325;
  uint64_t events_ = 0;
  std::deque<std::string> lines_;
};

}  // namespace leasemap::sim
