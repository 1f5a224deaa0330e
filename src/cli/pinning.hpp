// Which processors a rank gets: those near its device, shared out among the ranks that have the same.
#pragma once

#include <string>
#include <vector>

namespace peerscope {

std::vector<int> parse_cpu_list(const std::string& text);   // "0-3,8": as sysfs writes it
std::string format_cpu_list(const std::vector<int>& cpus);  // the same way back; ascending
std::vector<int> allowed_cpus();                            // to this process

// Near a PCI device as /sys/bus/pci says; empty if it says nothing.
std::vector<int> cpus_near(const std::string& pci_bus_id, const std::string& sysfs = "/sys");

// One list a rank, given what lies near each. Ranks with the same neighbourhood get an equal part of
// each of its runs, so that they don't share the two halves of a core. Where nothing near is allowed,
// all that is allowed counts as near.
std::vector<std::vector<int>> share_out(std::vector<std::vector<int>> near,
                                        const std::vector<int>& allowed);

void pin_to(const std::vector<int>& cpus);  // the calling thread and those it starts

}  // namespace peerscope
