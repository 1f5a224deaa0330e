// Whatever answers on RAS's port: a report or a sentence, never a crash.
#include <cstddef>
#include <cstdint>

#include "source/ras/judge.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto report = peerscope::ras::parse_report(text))
    static_cast<void>(peerscope::ras::judge(*report));
  return 0;
}
