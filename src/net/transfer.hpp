// What peerscope sends over the network: posts and mail. Only this knows libcurl.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace peerscope {

struct PostRequest {
  std::string url, body;
  std::vector<std::string> headers;  // "Name: value"
  std::int64_t timeout_ns = 0;
  std::size_t most_reply = 500;  // bytes of the answer that are kept
};

struct PostReply {
  int status = 0;     // of HTTP; 0: there was no answer
  std::string error;  // why not
  std::string body;
  std::int64_t retry_after_ns = 0;  // 0: not said; a day at most
};

struct MailRequest {
  std::string url, user, password, from;
  std::vector<std::string> to;
  std::string text;  // headers, empty line, body; lines end in CR LF
  std::int64_t timeout_ns = 0;
};

struct MailReply {
  bool ok = false;
  int status = 0;  // of SMTP; 0: there was no answer
  std::string error;
};

// Redirects are not followed. Ends early where `stopping` turns true.
PostReply post(const PostRequest& request, const std::atomic<bool>& stopping);
MailReply send_mail(const MailRequest& request, const std::atomic<bool>& stopping);

}  // namespace peerscope
