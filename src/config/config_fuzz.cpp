// Whatever is in a configuration file: it is a configuration or one sentence, and editing it never
// harms it.
#include <cstdint>
#include <string>

#include "config/config.hpp"
#include "config/edit.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const peerscope::Result<peerscope::Config> config = peerscope::load_text(text, "fuzz");
  if (!config && config.error().message.empty()) __builtin_trap();
  if (config) {
    const auto changed = peerscope::edit_toml(text, "monitor.max_events", "7", "fuzz");
    if (changed && !peerscope::load_text(*changed, "fuzz")) __builtin_trap();
  }
  for (const peerscope::KeySpec& key : peerscope::schema()) {
    const auto with = peerscope::Config().with({key.name, text, "fuzz"});
    if (with) (void)with->written(key.name);
  }
  return 0;
}
