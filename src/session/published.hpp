// The latest of something that one thread renews and any thread may take, without a lock.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

namespace peerscope {

// One thread stores. Any number load at the same time: a load never waits for the writer, it tries again only if a
// newer value came meanwhile. (libstdc++ 12's atomic<shared_ptr> holds a lock bit, and its load races with its store.)
template <class T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> value) { slots_[0].value = std::move(value); }

  [[nodiscard]] std::shared_ptr<const T> load() const {
    for (;;) {
      const std::size_t at = current_.load();
      const Slot& slot = slots_[at];
      // Either the writer sees this reader and leaves the slot alone, or this reader sees that the slot is no longer
      // current: the two words are written and read in one total order (seq_cst).
      slot.readers.fetch_add(1);
      if (current_.load() == at) {
        std::shared_ptr<const T> copy = slot.value;
        slot.readers.fetch_sub(1);
        return copy;
      }
      slot.readers.fetch_sub(1);
    }
  }

  void store(std::shared_ptr<const T> value) {
    const std::size_t now = current_.load();
    for (std::size_t at = (now + 1) % slots_.size();; at = (at + 1) % slots_.size()) {
      if (at == now)
        std::this_thread::yield();  // readers are in all others: each is about to leave
      if (at == now || slots_[at].readers.load() != 0) continue;
      slots_[at].value = std::move(value);
      current_.store(at);  // publishes the value
      return;
    }
  }

 private:
  struct Slot {
    std::shared_ptr<const T> value;
    mutable std::atomic<int> readers{0};
  };
  std::array<Slot, 4> slots_;
  std::atomic<std::size_t> current_{0};
};

}  // namespace peerscope
