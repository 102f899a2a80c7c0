// `leasemap backup` and `leasemap restore` (docs/backup.md): the map to a file, and back.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cli/bulk.h"
#include "clients/cli/commands.h"
#include "clients/cli/core/backup_entry.h"
#include "clients/cli/core/text.h"
#include "clients/cli/progress.h"
#include "clients/cli/terminal.h"
#include "protos/backup_file.h"

namespace leasemap::cli {
namespace {

constexpr size_t kPieceBytes = 1 << 20;  // of a file, in one message

// A file that is there as a whole once it is done, and before that under another name.
class NewFile {
 public:
  explicit NewFile(const std::string& path) : path_(path), part_(path + ".part"), stdout_(path == "-") {
    if (!stdout_) file_.open(part_, std::ios::binary | std::ios::trunc);
  }
  ~NewFile() {
    if (!stdout_ && !done_) std::remove(part_.c_str());
  }
  NewFile(const NewFile&) = delete;
  bool Write(const std::string& bytes) { return static_cast<bool>(out() << bytes); }
  bool Done() {
    if (!out().flush()) return false;
    if (stdout_) return true;
    file_.close();
    const int fd = open(part_.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return done_ = synced && std::rename(part_.c_str(), path_.c_str()) == 0;
  }

 private:
  std::ostream& out() { return stdout_ ? std::cout : file_; }

  const std::string path_, part_;
  const bool stdout_;
  bool done_ = false;
  std::ofstream file_;
};

// Gives the file, or standard input, piece by piece to `take`, until that returns false. An exit code.
int ReadPieces(const std::string& path, const std::function<bool(const std::string& piece)>& take) {
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? std::cin : file;
  std::string piece(kPieceBytes, '\0');
  if (path != "-") in.peek();
  if (path != "-" && !file) {
    Complain() << "the file " << Escape(path) << " cannot be read; name one that `leasemap backup` wrote\n";
    return kWrongUse;
  }
  while (in.read(piece.data(), static_cast<std::streamsize>(kPieceBytes)) || in.gcount() > 0) {
    const auto got = static_cast<size_t>(in.gcount());
    if (!take(got == kPieceBytes ? piece : piece.substr(0, got))) break;
  }
  return kDone;
}

// In one go: the node checks the file, and that its map is empty.
int RestoreWhole(Connection& connection) {
  const Options& options = connection.options();
  connection.Settle();
  grpc::ClientContext context;
  v1::RestoreResponse response;
  const auto writer = connection.mesh().Restore(&context, &response);
  Progress progress("MiB sent");
  uint64_t sent = 0;
  const int exit_code = ReadPieces(options.file, [&](const std::string& piece) {
    v1::RestoreRequest request;
    request.set_force(options.force);
    request.set_data(piece);
    progress.Show((sent += piece.size()) >> 20);
    return writer->Write(request);  // false: the node has ended the call, and says why
  });
  if (exit_code != kDone) context.TryCancel();
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  progress.Clear();
  if (exit_code != kDone) return exit_code;
  if (!status.ok()) return connection.Report(status);
  std::cout << response.keys() << " keys restored\n";
  return kDone;
}

// A damaged file is found before the first write. Of a key that is there twice the last counts.
int RestoreAsNewWrites(Connection& connection) {
  const std::string& path = connection.options().file;
  BackupParser parser;
  absl::Status wrong;
  std::map<std::string, peer::v1::Entry> entries;
  const int exit_code = ReadPieces(path, [&](const std::string& piece) {
    parser.Add(piece);
    for (;;) {
      auto record = parser.Next();
      if (!record.ok()) wrong = record.status();
      if (!record.ok() || !*record) return record.ok();
      for (auto& entry : *(*record)->mutable_entries()->mutable_entries()) {
        const std::string key = entry.key();
        entries[key] = std::move(entry);
      }
    }
  });
  if (exit_code != kDone) return exit_code;
  if (wrong.ok() && !parser.complete()) wrong = absl::DataLossError("the backup ends too soon");
  if (!wrong.ok()) {
    Complain() << std::string(wrong.message()) << "; nothing was written\n";
    return kRefused;
  }
  Bulk bulk(connection, false, "entry");
  size_t number = 0;
  for (const auto& [key, entry] : entries) {
    const auto request = SetOf(entry, absl::Now());
    if (!request) continue;
    if (const int code = bulk.Add(++number, *request); code != kDone) return code;
  }
  return bulk.End();
}

}  // namespace

int Backup(Connection& connection) {
  const std::string& path = connection.options().file;
  NewFile file(path);
  const auto cannot_write = [&path] {
    Complain() << "cannot write " << Escape(path) << "; name a file that can be written\n";
    return kRefused;
  };
  connection.Settle();
  grpc::ClientContext context;
  const auto reader = connection.mesh().Backup(&context, v1::BackupRequest());
  v1::BackupResponse response;
  Progress progress("entries saved");
  while (reader->Read(&response)) {
    if (!file.Write(response.data())) {
      context.TryCancel();
      progress.Clear();
      return cannot_write();
    }
    progress.Show(response.entries_done());
  }
  const grpc::Status status = reader->Finish();
  progress.Clear();
  if (!status.ok()) return connection.Report(status);
  if (!file.Done()) return cannot_write();
  if (path != "-") std::cout << response.entries_done() << " entries saved in " << Escape(path) << "\n";
  return kDone;
}

int Restore(Connection& connection) {
  return connection.options().as_new_writes ? RestoreAsNewWrites(connection) : RestoreWhole(connection);
}

}  // namespace leasemap::cli
