// What every answer carries: headers that a browser obeys, ETag, compression.
#pragma once

#include "http/service.hpp"

namespace peerscope::http {

struct Dressing {
  const Request& request;
  bool is_get = false;  // GET or HEAD
  bool is_head = false;
  bool is_api = false;  // not to be kept by anybody, unless the response says otherwise
};

Answer dressed(const Dressing& how, Response response);

}  // namespace peerscope::http
