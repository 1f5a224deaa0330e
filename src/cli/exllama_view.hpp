// What `peerscope exllama` shows of one context.
#pragma once

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "cli/render.hpp"
#include "source/exllama/mapping.hpp"
#include "source/exllama/sampler.hpp"
#include "source/exllama/summary.hpp"

namespace peerscope {

// One context that is watched.
struct WatchedContext {
  exllama::Found found;
  exllama::Mappers mappers;
  exllama::Summary summary;
  std::unique_ptr<exllama::Sampler> sampler;
  std::string ended;  // why it is not read any more
};

void print(const WatchedContext& watched, const Style& style);
nlohmann::json to_json(const WatchedContext& watched);

}  // namespace peerscope
