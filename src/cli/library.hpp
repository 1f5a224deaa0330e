// The shared library as another program would meet it: found beside this binary, loaded, called
// through pointers.
#pragma once

#include <string>

#include "peerscope/peerscope.h"

namespace peerscope {

class Library {
 public:
  Library();  // $ORIGIN/../lib/libpeerscope.so.1; never unloaded (it pins itself)

  [[nodiscard]] bool ready() const { return open_ != nullptr; }
  pscope_session* open(const char* name) const;
  void close(pscope_session* session) const;  // and removes its segment
  void set_level(pscope_session* session, int level) const { set_level_(session, level); }

  // What the header's inline functions do, with the library's functions behind them.
  pscope_token begin(pscope_session* session, const pscope_op* op) const {
    return begin_(session, op);
  }
  void end(pscope_session* session, pscope_token token, int status) const {
    end_(session, token, status);
  }

 private:
  decltype(&pscope_open) open_ = nullptr;
  decltype(&pscope_close) close_ = nullptr;
  decltype(&pscope_set_level) set_level_ = nullptr;
  decltype(&pscope_segment_path) segment_path_ = nullptr;
  decltype(&pscope_op_begin_) begin_ = nullptr;
  decltype(&pscope_op_end_) end_ = nullptr;
};

}  // namespace peerscope
