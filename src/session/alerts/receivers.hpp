// Who is told: one file each. None throws, and each ends within its time-out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "session/alerts/lane.hpp"
#include "session/alerts/settings.hpp"

namespace peerscope {

Send log_receiver(const std::string& path);  // "stderr", or a file
Send command_receiver(const std::vector<std::string>& words, std::int64_t timeout_ns);
Send webhook_receiver(const ReceiverSettings& settings);
Send mail_receiver(const ReceiverSettings& settings);
Send alertmanager_receiver(const ReceiverSettings& settings);

// One lane for each receiver that is configured.
std::vector<std::unique_ptr<Lane>> make_lanes(const ReceiverSettings& settings);

// "t=1700000000,v1=HEX" over "SECONDS.BODY".
std::string webhook_signature(const std::string& secret, std::int64_t real_s,
                              const std::string& body);
std::string notice_body(const Notice& notice);  // JSON, whatever bytes names have
std::string notice_line(
    const Notice& notice);  // "2026-01-02T03:04:05.678Z firing critical slow: ..."
std::string mail_text(const Notice& notice, const ReceiverSettings& settings, std::int64_t real_ns);
std::string alertmanager_body(const Notice& notice, std::int64_t real_ns);

// Of an HTTP status: 2xx ok; 408, 429 and 5xx later; all else refused. 0: there was no answer.
Outcome outcome_of(int status, const std::string& detail, std::int64_t retry_after_ns);

}  // namespace peerscope
