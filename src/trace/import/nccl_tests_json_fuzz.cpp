// Any bytes as input of this importer: it must say yes or no, and never fall.
#include "trace/import/formats.hpp"
#include "trace/import/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return peerscope::fuzz_import(peerscope::import_nccl_tests_json, data, size);
}
