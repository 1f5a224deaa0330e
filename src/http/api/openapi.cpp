#include "http/api/api.hpp"

namespace peerscope::http {

// The file beside this one, as it is: the assembler takes it into the binary.
__asm__(
    ".section .rodata\n"
    ".balign 8\n"
    "pscope_openapi_begin:\n"
    ".incbin \"" PSCOPE_OPENAPI_FILE
    "\"\n"
    "pscope_openapi_end:\n"
    ".byte 0\n"
    ".previous\n");

extern "C" {
extern const char pscope_openapi_begin[];
extern const char pscope_openapi_end[];
}

std::string_view openapi_json() {
  return {pscope_openapi_begin,
          static_cast<std::size_t>(pscope_openapi_end - pscope_openapi_begin)};
}

}  // namespace peerscope::http
