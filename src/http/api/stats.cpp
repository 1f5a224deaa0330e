// Rows of the last snapshot, in a window.
#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"
#include "http/api/rows.hpp"

namespace peerscope::http {
namespace {

using Rows = nlohmann::json (*)(const Snapshot&, Window);

Response rows(const Api& api, const Request& request, Rows make) {
  Parameters parameters(request);
  const Window window = parameters.window(*api.served);
  if (const auto refusal = parameters.refusal()) return *refusal;
  return answer({{"items", make(*api.served->snapshot(), window)}});
}

}  // namespace

Response get_operation_stats(const Api& api, const Request& request, const Captures&) {
  return rows(api, request, operation_rows);
}
Response get_ranks(const Api& api, const Request& request, const Captures&) {
  return rows(api, request, rank_rows);
}
Response get_pairs(const Api& api, const Request& request, const Captures&) {
  return rows(api, request, pair_rows);
}
Response get_communicators(const Api& api, const Request& request, const Captures&) {
  return rows(api, request, communicator_rows);
}

}  // namespace peerscope::http
