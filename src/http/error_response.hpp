#pragma once

#include <string_view>

#include "http/message.hpp"

namespace peerscope::http {

// {"error":{"code":"not_found","message":"..."}}: what every refusal looks like. `message` may hold any bytes.
Response error_response(int status, std::string_view code, std::string_view message);

}  // namespace peerscope::http
