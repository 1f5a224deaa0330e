// What importers share: reading lines and documents, numbers in JSON, names of other programs.
#pragma once

#include <iterator>
#include <map>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "trace/import/import.hpp"

namespace peerscope {

// Lines of an input, without their ends. Longer ones than 1 MiB are cut.
class Lines {
 public:
  explicit Lines(const ByteSource& source) : source_(source) {}
  bool next(std::string& line);
  [[nodiscard]] std::uint64_t number() const { return number_; }  // of the last one, from 1

 private:
  static constexpr std::size_t kMost = 1 << 20;
  const ByteSource& source_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::uint64_t number_ = 0;
};

// All of an input as JSON, up to 64 MiB.
Result<nlohmann::json> read_document(const ByteSource& source);

// Members of an object; empty if it is missing or of another type.
std::optional<double> number_of(const nlohmann::json& object, const char* key);
std::optional<std::uint64_t> count_of(const nlohmann::json& object, const char* key);
std::string text_of(const nlohmann::json& object, const char* key);  // "" if there is none
const nlohmann::json& member(const nlohmann::json& object,
                             const char* key);  // null if there is none

std::optional<double> parse_real(std::string_view text);
// ns from µs, if that is a time.
std::int64_t ns_of_us(double us);

// "AllReduce", "all_reduce", "allreduce", "_allgather_base", "ncclDevKernel_AllReduce_...": what kind.
Kind kind_of_name(std::string_view name);
// NCCL's and PyTorch's names.
Dtype dtype_of_name(std::string_view name);
// A communicator's id from its name where the format has no number.
std::uint64_t id_of_name(std::string_view name);

// Operations of one batch, and facts about who made them.
class OpBatch {
 public:
  explicit OpBatch(ImportSink& sink) : sink_(sink) {}
  void add(const Op& op) {
    ops_.push_back(op);
    if (ops_.size() >= 4096) flush();
  }
  void flush() {
    if (!ops_.empty()) sink_.on_ops(ops_);
    ops_.clear();
  }

 private:
  ImportSink& sink_;
  std::vector<Op> ops_;
};

// Notes that a rank takes part in a communicator, once.
void note_member(TraceMeta& meta, std::uint64_t id, std::string_view name, std::uint16_t ranks,
                 const TraceMember& member);
void note_bad(ImportCounts& counts, std::string why);

}  // namespace peerscope
