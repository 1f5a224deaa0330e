// A mail in plain text.
#include <algorithm>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include "net/transfer.hpp"
#include "record/ticks.hpp"
#include "session/alerts/receivers.hpp"
#include "session/json.hpp"

namespace peerscope {
namespace {

std::string base64(const std::string& text) {
  std::string out((text.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Encoded words (RFC 2047) of at most 75 characters, none of which parts a character: what names and sentences hold
// can never end the header.
std::string header_text(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(at + 42, text.size());
    while (end < text.size() && end > at + 1 && continues(text[end])) --end;
    out += (out.empty() ? "" : "\r\n ") +
           fmt::format("=?UTF-8?B?{}?=", base64(text.substr(at, end - at)));
    at = end;
  }
  return out;
}

// "Somebody <x@example.org>" -> "<x@example.org>".
std::string envelope(const std::string& address) {
  const std::size_t open = address.find('<');
  const std::size_t close = address.find('>', open);
  if (open == std::string::npos || close == std::string::npos) return "<" + address + ">";
  return address.substr(open, close - open + 1);
}

// Lines that mail servers take: base64 in lines of 76.
std::string body_text(const std::string& text) {
  const std::string all = base64(text);
  std::string out;
  for (std::size_t at = 0; at < all.size(); at += 76) out += all.substr(at, 76) + "\r\n";
  return out;
}

std::string words_of_body(const Notice& notice) {
  const Alert& alert = notice.alert;
  std::string out = alert.sentence + "\n";
  if (!alert.action.empty()) out += fmt::format("\nWhat to do: {}\n", alert.action);
  const auto time = [&](const char* what, std::int64_t ns) {
    if (ns != kUnknownNs)
      out += fmt::format("{}: {}\n", what, time_text(ns + alert.real_offset_ns));
  };
  out += fmt::format("\nrule: {}\nstate: {}\n", alert.rule, name(alert.state));
  time("since", alert.since_ns);
  time("fired", alert.fired_ns);
  time("resolved", alert.resolved_ns);
  for (const auto& [key, value] : alert.labels) {
    if (key != "rule") out += fmt::format("{}: {}\n", key, value);
  }
  return out + fmt::format("id: {}\n", alert.id);
}

}  // namespace

std::string mail_text(const Notice& notice, const ReceiverSettings& settings,
                      std::int64_t real_ns) {
  std::string to;
  for (const std::string& each : settings.smtp_to) to += (to.empty() ? "" : ", ") + each;
  const std::string subject = fmt::format("[peerscope] {} {}: {}", name(notice.alert.state),
                                          name(notice.alert.severity), notice.alert.sentence);
  const std::string body = words_of_body(notice);
  return fmt::format(
      "From: {}\r\nTo: {}\r\nSubject: {}\r\nDate: {:%a, %d %b %Y %H:%M:%S} +0000\r\n"
      "Message-ID: <{}.{}.{}@peerscope>\r\nMIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
      settings.smtp_from, to, header_text(subject),
      fmt::gmtime(static_cast<std::time_t>(real_ns / 1'000'000'000)), notice.alert.id,
      name(notice.reason), real_ns, body_text(body));
}

Send mail_receiver(const ReceiverSettings& settings) {
  return [settings](const Notice& notice, const std::atomic<bool>& stopping) -> Outcome {
    MailRequest request;
    request.url = settings.smtp_url;
    request.user = settings.smtp_user;
    request.password = settings.smtp_password;
    request.from = envelope(settings.smtp_from);
    for (const std::string& to : settings.smtp_to) request.to.push_back(envelope(to));
    request.text = mail_text(notice, settings, static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME)));
    request.timeout_ns = settings.timeout_ns;
    const MailReply reply = send_mail(request, stopping);
    if (reply.ok) return {};
    const bool refused = reply.status >= 500;  // 4xx of SMTP: another time
    return {refused ? Sent::refused : Sent::later, reply.error, 0};
  };
}

}  // namespace peerscope
