#include "model/kinds.hpp"

#include <array>
#include <cstddef>

namespace peerscope {
namespace {

using Name = std::string_view;
constexpr std::array<Name, 4> kLevels{"off", "basic", "detailed", "comprehensive"};
constexpr std::array<Name, PSCOPE_KIND_COUNT> kKinds{
    "other",      "send",           "recv",   "copy",    "broadcast",  "reduce",  "all_reduce",
    "all_gather", "reduce_scatter", "gather", "scatter", "all_to_all", "barrier", "put",
    "get",        "signal",         "compute"};
constexpr std::array<Name, PSCOPE_ALGORITHM_COUNT> kAlgorithms{
    "unknown",       "direct",    "two_shot",       "ring",          "binary_tree", "kary_tree",
    "balanced_tree", "tree",      "collnet_direct", "collnet_chain", "nvls",        "nvls_tree",
    "pat",           "symmetric", "copy_engine",    "host_staged"};
constexpr std::array<Name, PSCOPE_PROTOCOL_COUNT> kProtocols{"unknown", "simple", "ll", "ll128"};
constexpr std::array<Name, PSCOPE_DTYPE_COUNT> kDtypes{"unknown", "i8",     "u8",    "i32",  "u32",
                                                       "i64",     "u64",    "f16",   "bf16", "f32",
                                                       "f64",     "f8e4m3", "f8e5m2"};
constexpr std::array<std::size_t, PSCOPE_DTYPE_COUNT> kDtypeBytes{0, 1, 1, 4, 4, 8, 8,
                                                                  2, 2, 4, 8, 1, 1};
constexpr std::array<Name, PSCOPE_STATUS_COUNT> kStatuses{
    "ok", "error", "timeout", "peer_lost", "mismatch", "no_memory", "cancelled"};
constexpr std::array<Name, PSCOPE_BACKEND_COUNT> kBackends{"unknown", "host",    "cuda",
                                                           "nccl",    "exllama", "sim"};

template <std::size_t N>
Name at(const std::array<Name, N>& names, std::size_t index) {
  return index < N ? names[index] : Name("?");
}

template <class E, std::size_t N>
std::optional<E> find(const std::array<Name, N>& names, Name text) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == text) return static_cast<E>(i);
  }
  return std::nullopt;
}

}  // namespace

Name name(Level level) { return at(kLevels, static_cast<std::size_t>(level)); }
Name name(Kind kind) { return at(kKinds, static_cast<std::size_t>(kind)); }
Name name(Algorithm algorithm) { return at(kAlgorithms, static_cast<std::size_t>(algorithm)); }
Name name(Protocol protocol) { return at(kProtocols, static_cast<std::size_t>(protocol)); }
Name name(Dtype dtype) { return at(kDtypes, static_cast<std::size_t>(dtype)); }
Name name(OpStatus status) { return at(kStatuses, static_cast<std::size_t>(status)); }
Name name(Backend backend) { return at(kBackends, static_cast<std::size_t>(backend)); }

std::optional<Level> parse_level(Name text) { return find<Level>(kLevels, text); }
std::optional<Kind> parse_kind(Name text) { return find<Kind>(kKinds, text); }
std::optional<Algorithm> parse_algorithm(Name text) { return find<Algorithm>(kAlgorithms, text); }
std::optional<Dtype> parse_dtype(Name text) { return find<Dtype>(kDtypes, text); }

std::size_t dtype_bytes(Dtype dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  return index < kDtypeBytes.size() ? kDtypeBytes[index] : 0;
}

}  // namespace peerscope
