// Cases of memory between ranks, as nvbandwidth prints them.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "suite/backend.hpp"

namespace peerscope {

struct P2pResult {
  std::string name, help, backend;
  P2pMatrix matrix;

  [[nodiscard]] double sum() const;
  [[nodiscard]] double least() const;  // of the cells that were measured
  [[nodiscard]] double most() const;
};

std::string p2p_text(const P2pResult& result);
nlohmann::json to_json(const P2pResult& result);  // cells that were not measured are null
// Of a list of these; what is none is left out.
std::vector<P2pResult> p2p_from_json(const nlohmann::json& list);

}  // namespace peerscope
