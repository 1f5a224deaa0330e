#include "http/error_response.hpp"

#include <nlohmann/json.hpp>

namespace peerscope::http {

Response error_response(int status, std::string_view code, std::string_view message) {
  const nlohmann::json error = {{"error", {{"code", code}, {"message", message}}}};
  Response response;
  response.status = status;
  response.body = error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

}  // namespace peerscope::http
