#include "record/say.hpp"

#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

namespace peerscope {

void say_line(const char* who, const char* format, va_list arguments) {
  char line[768];
  const int head = snprintf(line, sizeof line, "peerscope (%s): ", who);
  const int body =
      vsnprintf(line + head, sizeof line - static_cast<size_t>(head) - 1, format, arguments);
  if (body < 0) return;
  size_t bytes = static_cast<size_t>(head) + static_cast<size_t>(body);
  if (bytes > sizeof line - 2) bytes = sizeof line - 2;
  line[bytes] = '\n';
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line, bytes + 1);
}

}  // namespace peerscope
