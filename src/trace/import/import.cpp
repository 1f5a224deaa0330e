#include "trace/import/import.hpp"

#include "trace/import/formats.hpp"

namespace peerscope {
namespace {

constexpr Importer kImporters[] = {
    {"inspector", "NCCL Inspector's JSON lines", recognises_inspector, import_inspector},
    {"nvbandwidth", "nvbandwidth -j", recognises_nvbandwidth, import_nvbandwidth},
    {"nccl-tests-json", "nccl-tests -J", recognises_nccl_tests_json, import_nccl_tests_json},
    {"nccl-tests", "the table that nccl-tests prints", recognises_nccl_tests, import_nccl_tests},
    {"chrome", "torch.profiler (Kineto) and other Chrome traces", recognises_chrome, import_chrome},
};

}  // namespace

std::span<const Importer> importers() { return kImporters; }

const Importer* find_importer(std::string_view name) {
  for (const Importer& importer : importers()) {
    if (name == importer.name) return &importer;
  }
  return nullptr;
}

const Importer* recognise(std::string_view head) {
  for (const Importer& importer : importers()) {
    if (importer.recognises(head)) return &importer;
  }
  return nullptr;
}

}  // namespace peerscope
