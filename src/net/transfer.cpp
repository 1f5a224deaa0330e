#include "net/transfer.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include <curl/curl.h>
#include <fmt/format.h>

#include "config/document.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kMostRead = 1 << 20;  // what is not kept is read and forgotten

struct Transfer {  // curl_global_init by the first handle: thread-safe since 7.84
  Transfer() : handle(curl_easy_init()) {}
  ~Transfer() {
    curl_slist_free_all(list);
    curl_easy_cleanup(handle);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
  template <class T>
  void set(CURLoption option, T value) {
    curl_easy_setopt(handle, option, value);
  }

  CURL* handle;
  curl_slist* list = nullptr;
  const std::atomic<bool>* stopping = nullptr;
  std::string received;
  std::size_t seen = 0, most_kept = 0;
  std::string_view to_send;
  char problem[CURL_ERROR_SIZE] = {};
};

std::size_t on_received(char* data, std::size_t, std::size_t size, void* context) {
  Transfer& transfer = *static_cast<Transfer*>(context);
  transfer.seen += size;
  transfer.received.append(data, std::min(size, transfer.most_kept - transfer.received.size()));
  return transfer.seen <= kMostRead ? size : 0;  // 0 ends it
}

std::size_t on_wanted(char* out, std::size_t, std::size_t room, void* context) {
  Transfer& transfer = *static_cast<Transfer*>(context);
  const std::size_t size = std::min(room, transfer.to_send.size());
  std::memcpy(out, transfer.to_send.data(), size);
  transfer.to_send.remove_prefix(size);
  return size;
}

int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(context)->stopping->load() ? 1 : 0;
}

void prepare(Transfer& transfer, const std::string& url, std::int64_t timeout_ns,
             const std::atomic<bool>& stopping) {
  transfer.stopping = &stopping;
  transfer.set(CURLOPT_URL, url.c_str());
  if (is_loopback(url)) transfer.set(CURLOPT_PROXY, "");  // whatever the environment says
  transfer.set(CURLOPT_FOLLOWLOCATION, 0L);               // a header may hold a secret
  transfer.set(CURLOPT_NOSIGNAL, 1L);                     // there are other threads
  transfer.set(CURLOPT_TIMEOUT_MS,
               static_cast<long>(std::max<std::int64_t>(timeout_ns / 1'000'000, 1)));
  transfer.set(CURLOPT_ERRORBUFFER, transfer.problem);
  transfer.set(CURLOPT_WRITEFUNCTION, on_received);
  transfer.set(CURLOPT_WRITEDATA, &transfer);
  transfer.set(CURLOPT_NOPROGRESS, 0L);
  transfer.set(CURLOPT_XFERINFOFUNCTION, on_progress);
  transfer.set(CURLOPT_XFERINFODATA, &transfer);
}

std::string why(const Transfer& transfer, CURLcode code) {
  return *transfer.problem != '\0' ? std::string(transfer.problem)
                                   : std::string(curl_easy_strerror(code));
}

}  // namespace

PostReply post(const PostRequest& request, const std::atomic<bool>& stopping) {
  PostReply reply;
  Transfer transfer;
  if (transfer.handle == nullptr) return {0, "libcurl cannot be used", "", 0};
  prepare(transfer, request.url, request.timeout_ns, stopping);
  transfer.most_kept = request.most_reply;
  transfer.set(CURLOPT_PROTOCOLS_STR, "http,https");
  transfer.set(CURLOPT_USERAGENT, "peerscope/" PSCOPE_VERSION);
  transfer.set(CURLOPT_POST, 1L);
  transfer.set(CURLOPT_POSTFIELDS, request.body.data());
  transfer.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  for (const std::string& header : request.headers) transfer.add(header);
  transfer.add("Expect:");  // no waiting for "100 Continue"
  transfer.set(CURLOPT_HTTPHEADER, transfer.list);
  const CURLcode code = curl_easy_perform(transfer.handle);
  long status = 0;
  curl_off_t after_s = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(transfer.handle, CURLINFO_RETRY_AFTER, &after_s);
  const bool cut = code == CURLE_WRITE_ERROR && status != 0;  // an answer longer than anyone reads
  if (code != CURLE_OK && !cut) return {0, why(transfer, code), "", 0};
  reply.status = static_cast<int>(status);
  reply.body = transfer.received;
  constexpr curl_off_t kDay = 86'400;
  reply.retry_after_ns = std::clamp<curl_off_t>(after_s, 0, kDay) * 1'000'000'000;
  return reply;
}

MailReply send_mail(const MailRequest& request, const std::atomic<bool>& stopping) {
  Transfer transfer;
  if (transfer.handle == nullptr) return {false, 0, "libcurl cannot be used"};
  prepare(transfer, request.url, request.timeout_ns, stopping);
  transfer.set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  // A password goes over TLS only.
  transfer.set(CURLOPT_USE_SSL,
               static_cast<long>(request.user.empty() ? CURLUSESSL_TRY : CURLUSESSL_ALL));
  if (!request.user.empty()) {
    transfer.set(CURLOPT_USERNAME, request.user.c_str());
    transfer.set(CURLOPT_PASSWORD, request.password.c_str());
  }
  transfer.set(CURLOPT_MAIL_FROM, request.from.c_str());
  for (const std::string& to : request.to) transfer.add(to);
  transfer.set(CURLOPT_MAIL_RCPT, transfer.list);
  transfer.to_send = request.text;
  transfer.set(CURLOPT_READFUNCTION, on_wanted);
  transfer.set(CURLOPT_READDATA, &transfer);
  transfer.set(CURLOPT_UPLOAD, 1L);
  const CURLcode code = curl_easy_perform(transfer.handle);
  long status = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK) return {true, static_cast<int>(status), ""};
  return {false, static_cast<int>(status), why(transfer, code)};
}

}  // namespace peerscope
