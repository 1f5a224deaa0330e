#include "comm/cuda/exchange.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace peerscope {
namespace {

using Socket = Descriptor;

Error failed(const char* what) {
  return Error{ErrorCode::io,
               fmt::format("handing memory to another rank: {}: {}", what, std::strerror(errno))};
}

// A socket with a time-out is not taken up again by itself after a signal (a profiler's, say), whatever SA_RESTART says.
template <class Call>
auto without_interruption(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

constexpr std::size_t kNameBytes = 64;
using Name = std::array<char, kNameBytes>;

// Abstract: no file, gone with the process.
sockaddr_un address_of(const Name& name, socklen_t& length) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t used = strnlen(name.data(), name.size());
  std::memcpy(address.sun_path + 1, name.data(), used);
  length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + used);
  return address;
}

Status set_timeout(int fd, std::chrono::nanoseconds timeout) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(timeout).count();
  const timeval limit{us / 1'000'000, us % 1'000'000};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
    return failed("setsockopt");
  return Done{};
}

union ControlBuffer {  // aligned as sendmsg wants it
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

Status send_descriptor(int to, std::int32_t rank, int fd) {
  iovec part{&rank, sizeof rank};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  const auto sent = without_interruption([&] { return sendmsg(to, &message, MSG_NOSIGNAL); });
  if (sent != sizeof rank) return failed("sendmsg");
  return Done{};
}

struct Received {
  std::int32_t rank = -1;
  Descriptor fd;
};
Result<Received> receive_descriptor(int from) {
  Received received;
  iovec part{&received.rank, sizeof received.rank};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  const auto got = without_interruption([&] { return recvmsg(from, &message, MSG_CMSG_CLOEXEC); });
  if (got != sizeof received.rank) return failed("recvmsg");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return failed("no descriptor came");
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  received.fd = Descriptor(fd);
  return received;
}

Result<Socket> listen_as(Name& name, int rank) {
  static std::atomic<int> count{0};
  const std::string text = fmt::format("peerscope-{}-{}-{}", getpid(), rank, count.fetch_add(1));
  std::memcpy(name.data(), text.data(), std::min(text.size(), name.size() - 1));
  Socket socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  socklen_t length = 0;
  const sockaddr_un address = address_of(name, length);
  if (socket.get() < 0 ||
      bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      listen(socket.get(), kMaxRanks) != 0)
    return failed("a socket to wait at");
  return socket;
}

bool is_ours(int guest) {
  ucred who{};
  socklen_t length = sizeof who;
  return getsockopt(guest, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && who.uid == geteuid();
}

Result<Socket> connect_to(const Name& name, std::chrono::nanoseconds timeout) {
  Socket socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  socklen_t length = 0;
  const sockaddr_un address = address_of(name, length);
  if (socket.get() < 0 ||
      connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
    return failed("connect");
  if (Status set = set_timeout(socket.get(), timeout); !set) return set.error();
  return socket;
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Result<std::vector<Descriptor>> exchange_descriptors(Communicator& bootstrap, int own,
                                                     std::chrono::nanoseconds timeout) {
  const auto ranks = static_cast<std::size_t>(bootstrap.ranks());
  Name name{};
  Result<Socket> door = listen_as(name, bootstrap.rank());
  if (door) {
    if (Status set = set_timeout(door->get(), timeout); !set) door = set.error();
  }
  if (!door) name = {};
  std::vector<Name> names(ranks);
  if (Status all = bootstrap.all_gather({name.data(), name.size(), Dtype::u8}, names.data()); !all)
    return all.error();
  if (!door) return door.error();
  if (std::ranges::find(names, Name{}) != names.end())
    return Error{ErrorCode::peer_lost,
                 "another rank cannot hand on its memory; its error says why"};
  std::vector<Socket> to;  // the others wait at their doors: a connection is made at once
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    if (static_cast<int>(rank) == bootstrap.rank()) continue;
    Result<Socket> connected = connect_to(names[rank], timeout);
    if (!connected) return connected.error();
    to.push_back(std::move(*connected));
  }
  for (std::size_t i = 1; i < ranks; ++i) {
    const Socket guest(
        without_interruption([&] { return accept4(door->get(), nullptr, nullptr, SOCK_CLOEXEC); }));
    if (guest.get() < 0) return failed("accept");
    if (!is_ours(
            guest.get())) {  // the name is open to all users of this machine, the memory is not
      --i;
      continue;
    }
    if (Status sent = send_descriptor(guest.get(), bootstrap.rank(), own); !sent)
      return sent.error();
  }
  std::vector<Descriptor> descriptors(ranks);
  for (const Socket& socket : to) {
    Result<Received> received = receive_descriptor(socket.get());
    if (!received) return received.error();
    if (received->rank < 0 || received->rank >= bootstrap.ranks())
      return Error{ErrorCode::io, "handing memory to another rank: the answer is of no rank"};
    descriptors.at(static_cast<std::size_t>(received->rank)) = std::move(received->fd);
  }
  return descriptors;
}

Result<std::int32_t> least_of_all(Communicator& bootstrap, std::int32_t value) {
  std::int32_t least = value;
  if (Status done = bootstrap.all_reduce({&value, 1, Dtype::i32}, &least, ReduceOp::min); !done)
    return done.error();
  return least;
}

}  // namespace peerscope
