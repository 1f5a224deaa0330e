// Collectives that are not NCCL's, known by the names of their kernels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peerscope::cuda {

enum class Library : std::uint8_t {
  vllm,  // and who has its custom all-reduce: SGLang, FlashInfer
  sglang,
  trtllm,  // TensorRT-LLM's, FlashInfer's copies of them
  flashinfer,
  exllama,
  llama_cpp,
  pytorch,
  mscclpp,
  deep_ep,
  count,
};
inline constexpr std::uint32_t kLibraries = static_cast<std::uint32_t>(Library::count);
const char* library_name(std::uint32_t library);

struct KnownKernel {
  const char* name;  // of the function, without namespace, arguments and template arguments
  const char*
      within;  // also somewhere in the mangled name (a namespace, a template argument); null: nothing more
  Library library;
  std::uint8_t kind;       // pscope_kind
  std::uint8_t algorithm;  // pscope_algorithm
};

// The function's own name within a mangled name, a demangled one, or one of C.
struct Identifier {
  const char* text;
  std::size_t size;
};
Identifier identifier_of(const char* name);

// Null: not a collective that we know. Looks at the name.
const KnownKernel* find_kernel(const char* name);
// The same, remembered by the name's address: CUPTI gives all records of a kernel the same one. One caller at
// a time.
const KnownKernel* recall_kernel(const char* name);

std::size_t known_kernel_count();
const KnownKernel& known_kernel(std::size_t index);

}  // namespace peerscope::cuda
