// The bytes of a value: immutable, and shared between an entry and the renewals of its lease.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace leasemap::core {

class Value {
 public:
  // Shorter ones are copied: to share one keeps the entry alive that it came with, some hundred bytes.
  static constexpr size_t kSharedBytes = 256;

  Value() = default;
  Value(std::string bytes) : own_(std::move(bytes)) {}  // NOLINT: a string is a value
  Value(const char* text) : own_(text) {}               // NOLINT

  // The value of `owner`, which has it as `value`, without a copy if it is large.
  template <typename Owner>
  static Value Of(const std::shared_ptr<const Owner>& owner) {
    const Value& value = owner->value;
    if (value.size() < kSharedBytes || value.shared_ != nullptr) return value;
    Value out;
    out.shared_ = std::shared_ptr<const std::string>(owner, &value.own_);
    return out;
  }

  const std::string& str() const { return shared_ == nullptr ? own_ : *shared_; }
  operator const std::string&() const { return str(); }  // NOLINT: wherever a string is read
  size_t size() const { return str().size(); }
  bool empty() const { return str().empty(); }
  bool shared() const { return shared_ != nullptr; }

  friend bool operator==(const Value& a, const Value& b) { return &a.str() == &b.str() || a.str() == b.str(); }
  friend bool operator==(const Value& a, const std::string& b) { return a.str() == b; }
  friend bool operator==(const Value& a, const char* b) { return a.str() == b; }

 private:
  std::string own_;                            // empty if the bytes are shared
  std::shared_ptr<const std::string> shared_;  // of another entry, which it keeps alive
};

}  // namespace leasemap::core
