// A TCP proxy that spoils links: the chaos test puts one in front of a node's mesh port and tells it, line by line on
// stdin, what to do with the bytes of each direction.
//
//   chaos_proxy LISTEN_IP PORT TARGET_IP PORT
//   <in|out|both> <peer's IP or *> <pass|stall|slice|slow|cut BYTES>
//
// `in` is what the peer that dialled sends to the node, `out` the way back. `stall` stops reading, so that the sender's
// buffers fill while the connection stays up; `slice` writes one byte at a time; `slow` passes 1 MB/s; `cut` passes so
// many bytes more and then resets both ends, which is in mid-frame as good as always; later connections pass. A line
// holds for the links there are and for those to come, and is answered by "ok" and how many links there are that it
// concerns, or by "wrong". The proxy ends with its stdin. One thread; at most kBuffer bytes are held a direction.
#include <unistd.h>

#include <array>
#include <functional>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "asio.hpp"

namespace {

using asio::ip::tcp;

constexpr size_t kBuffer = 64 << 10;         // large enough that `pass` costs few system calls
constexpr size_t kSlowBytes = 10'000;        // `slow` passes so much at once …
constexpr int kSlowMs = 10;                  // … and then waits: 1 MB/s
constexpr size_t kMaxCut = size_t{1} << 30;  // "after BYTES": more is a slip of the pen

struct Mode {
  enum Kind { kPass, kStall, kSlice, kSlow, kCut } kind = kPass;
  size_t left = 0;  // bytes until the cut
};

// One direction of one link: reads, and writes what it read in pieces as its mode says.
class Pipe {
 public:
  // `end` is told when nothing more comes: true if the link has to be reset.
  Pipe(tcp::socket& from, tcp::socket& to, std::function<void(bool reset)> end)
      : from_(from), to_(to), end_(std::move(end)), timer_(from.get_executor()) {}

  void SetMode(Mode mode) {
    mode_ = mode;
    if (std::exchange(held_, false)) Write();
  }
  // `owner` is kept while an operation is under way.
  void Start(std::weak_ptr<void> owner) {
    owner_ = std::move(owner);
    Read();
  }
  void Stop() { timer_.cancel(); }

 private:
  void Read() {
    from_.async_read_some(asio::buffer(buffer_), [this, keep = owner_.lock()](asio::error_code error, size_t size) {
      if (error) return end_(error != asio::error::eof);
      begin_ = 0;
      size_ = size;
      Write();
    });
  }

  size_t Piece() const {
    const size_t all = size_ - begin_;
    switch (mode_.kind) {
      case Mode::kSlice:
        return std::min<size_t>(all, 1);
      case Mode::kSlow:
        return std::min(all, kSlowBytes);
      case Mode::kCut:
        return std::min(all, mode_.left);
      default:
        return all;
    }
  }

  void Write() {
    if (begin_ == size_) return Read();
    if (mode_.kind == Mode::kStall) {
      held_ = true;
      return;
    }
    if (mode_.kind == Mode::kCut && mode_.left == 0) return end_(true);
    const auto piece = asio::buffer(&buffer_[begin_], Piece());
    asio::async_write(to_, piece, [this, keep = owner_.lock()](asio::error_code error, size_t size) {
      if (error) return end_(true);
      begin_ += size;
      if (mode_.kind == Mode::kCut) mode_.left -= std::min(size, mode_.left);
      if (mode_.kind != Mode::kSlow) return Write();
      timer_.expires_after(std::chrono::milliseconds(kSlowMs));
      timer_.async_wait([this, keep](asio::error_code stopped) {
        if (!stopped) Write();
      });
    });
  }

  tcp::socket& from_;
  tcp::socket& to_;
  std::function<void(bool)> end_;
  std::weak_ptr<void> owner_;
  asio::steady_timer timer_;
  std::array<char, kBuffer> buffer_;
  size_t begin_ = 0, size_ = 0;
  Mode mode_;
  bool held_ = false;  // something was read, and waits for another mode
};

// A peer's connection and the one to the node. Lives until it is closed and the last operation has ended.
class Link : public std::enable_shared_from_this<Link> {
 public:
  explicit Link(tcp::socket peer)
      : peer_(std::move(peer)),
        node_(peer_.get_executor()),
        in_(peer_, node_, [this](bool reset) { End(node_, reset); }),
        out_(node_, peer_, [this](bool reset) { End(peer_, reset); }) {
    asio::error_code gone;
    address_ = peer_.remote_endpoint(gone).address().to_string();
  }

  void Start(const tcp::endpoint& target) {
    self_ = shared_from_this();
    node_.async_connect(target, [this, keep = self_](asio::error_code error) {
      if (error) return Close(true);
      for (tcp::socket* socket : {&peer_, &node_}) socket->set_option(tcp::no_delay(true), error);
      in_.Start(keep);
      out_.Start(keep);
    });
  }
  void SetMode(bool in, Mode mode) { (in ? in_ : out_).SetMode(mode); }
  const std::string& address() const { return address_; }
  bool closed() const { return closed_; }

 private:
  // One direction has ended: the other may go on until it ends too.
  void End(tcp::socket& to, bool reset) {
    if (closed_) return;
    if (reset || ++ended_ == 2) return Close(reset);
    asio::error_code error;
    to.shutdown(tcp::socket::shutdown_send, error);
  }
  void Close(bool reset) {
    if (std::exchange(closed_, true)) return;
    for (tcp::socket* socket : {&peer_, &node_}) {
      asio::error_code error;
      if (reset) socket->set_option(asio::socket_base::linger(true, 0), error);
      socket->close(error);
    }
    in_.Stop();
    out_.Stop();
    self_.reset();  // whoever called holds it
  }

  tcp::socket peer_, node_;
  Pipe in_, out_;
  std::string address_;
  std::shared_ptr<Link> self_;
  int ended_ = 0;
  bool closed_ = false;
};

class Proxy {
 public:
  Proxy(asio::io_context& context, const tcp::endpoint& listen, const tcp::endpoint& target)
      : acceptor_(context, listen), target_(target), stdin_(context, ::dup(STDIN_FILENO)) {}

  void Start() {
    Accept();
    ReadLine();
  }

 private:
  void Accept() {
    acceptor_.async_accept([this](asio::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error) {
        links_.remove_if([](const auto& link) { return link.expired() || link.lock()->closed(); });
        auto link = std::make_shared<Link>(std::move(socket));
        for (const bool in : {true, false}) link->SetMode(in, Later(link->address(), in));
        link->Start(target_);
        links_.push_back(link);
      }
      Accept();
    });
  }

  Mode Later(const std::string& address, bool in) const {
    for (const std::string& whose : {address, std::string("*")}) {
      if (const auto it = modes_.find({whose, in}); it != modes_.end()) return it->second;
    }
    return Mode{};
  }

  void ReadLine() {
    asio::async_read_until(stdin_, input_, '\n', [this](asio::error_code error, size_t) {
      if (error) {
        std::_Exit(EXIT_SUCCESS);  // whoever started the proxy is gone: nothing here is worth an orderly end
      }
      std::istream lines(&input_);
      std::string line;
      std::getline(lines, line);
      std::cout << Obey(line) << std::endl;
      ReadLine();
    });
  }

  std::string Obey(const std::string& line) {
    static const std::map<std::string, Mode::Kind> kinds = {{"pass", Mode::kPass},
                                                            {"stall", Mode::kStall},
                                                            {"slice", Mode::kSlice},
                                                            {"slow", Mode::kSlow},
                                                            {"cut", Mode::kCut}};
    std::istringstream words(line);
    std::string direction, address, name;
    words >> direction >> address >> name;
    const auto kind = kinds.find(name);
    if (kind == kinds.end() || (direction != "in" && direction != "out" && direction != "both"))
      return "wrong: " + line;
    Mode mode{kind->second, 0};
    if (mode.kind == Mode::kCut && (!(words >> mode.left) || mode.left > kMaxCut)) return "wrong: " + line;
    int concerned = 0;
    for (const bool in : {true, false}) {
      if (direction == (in ? "out" : "in")) continue;
      Remember(address, in, mode.kind == Mode::kCut ? Mode{} : mode);
      for (const auto& weak : links_) {
        const auto link = weak.lock();
        if (!link || link->closed() || (address != "*" && address != link->address())) continue;
        link->SetMode(in, mode);
        ++concerned;
      }
    }
    return "ok " + std::to_string(concerned);
  }

  void Remember(const std::string& address, bool in, Mode mode) {
    if (address == "*") std::erase_if(modes_, [&](const auto& entry) { return entry.first.second == in; });
    modes_[{address, in}] = mode;
  }

  tcp::acceptor acceptor_;
  tcp::endpoint target_;
  asio::posix::stream_descriptor stdin_;
  asio::streambuf input_;
  std::list<std::weak_ptr<Link>> links_;
  std::map<std::pair<std::string, bool>, Mode> modes_;  // for links to come, by peer and direction
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "chaos_proxy LISTEN_IP PORT TARGET_IP PORT\n";
    return 2;
  }
  try {
    const auto endpoint = [&](int i) {
      return tcp::endpoint(asio::ip::make_address(argv[i]), static_cast<uint16_t>(std::stoi(argv[i + 1])));
    };
    asio::io_context context(1);
    Proxy proxy(context, endpoint(1), endpoint(3));
    proxy.Start();
    std::cout << "listening" << std::endl;
    context.run();
  } catch (const std::exception& error) {
    std::cerr << "chaos_proxy: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
