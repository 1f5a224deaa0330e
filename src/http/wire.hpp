// An answer as bytes on its connection. Included by server.cpp only.
#pragma once

#include <array>
#include <ctime>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <restinio/all.hpp>

#include "http/service.hpp"

namespace peerscope::http {

using Parts = restinio::writable_items_container_t;
using Written = restinio::write_status_cb_t;

inline std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  return {text.data(),
          std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

// Where the answer to one request goes.
struct Wire {
  restinio::impl::connection_handle_t connection;
  restinio::request_id_t id = 0;
  bool keep_alive = true;
  bool chunked = true;  // HTTP/1.0 knows no chunks: there a stream ends with the connection

  void send(Parts parts, bool last, Written written = {}) {
    const restinio::response_output_flags_t flags{
        last ? restinio::response_parts_attr_t::final_parts
             : restinio::response_parts_attr_t::not_final_parts,
        keep_alive ? restinio::response_connection_attr_t::connection_keepalive
                   : restinio::response_connection_attr_t::connection_close};
    restinio::write_group_t group{std::move(parts)};
    if (written) group.after_write_notificator(std::move(written));
    connection->write_response_parts(id, flags, std::move(group));
    if (last) connection.reset();
  }

  // The stream is broken off, so that the client sees that it is not whole.
  void abort() {
    keep_alive = false;
    send({}, true);
  }
};

enum class Length { known, chunks, none };

inline std::string head_of(const Answer& answer, const Wire& wire, Length length) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\nConnection: {}\r\n", answer.status,
                                 reason_phrase(answer.status), date_now(),
                                 wire.keep_alive ? "keep-alive" : "close");
  if (length == Length::known) head += fmt::format("Content-Length: {}\r\n", answer.body.size());
  if (length == Length::chunks) head += "Transfer-Encoding: chunked\r\n";
  for (const auto& [name, value] : answer.fields)
    head.append(name).append(": ").append(value).append("\r\n");
  return head.append("\r\n");
}

inline void send_whole(Wire wire, Answer answer) {
  const bool no_body = answer.status == 204 || answer.status == 304;
  const bool unknown = answer.is_head && answer.stream;
  Parts parts;
  parts.emplace_back(head_of(answer, wire, no_body || unknown ? Length::none : Length::known));
  if (!answer.body.empty() && !answer.is_head && !no_body)
    parts.emplace_back(std::move(answer.body));
  wire.send(std::move(parts), true);
}

}  // namespace peerscope::http
