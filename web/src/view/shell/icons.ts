// Outlines on a 20 x 20 grid.
import type { PageName } from "../../model/url";

export const kIcons: Record<PageName, string> = {
  overview: "M3 10.5 10 4l7 6.5M5.5 9v7.5h9V9M8.5 16.5v-4h3v4",
  timeline: "M3 5h8M6 10h11M4 15h7M14 15h3",
  topology: "M10 4.5v4M10 8.5 5 13M10 8.5l5 4.5M8.5 3h3v3h-3zM3 13h3.5v3.5H3zM13.5 13H17v3.5h-3.5z",
  pairs: "M3.5 3.5h13v13h-13zM3.5 7.8h13M3.5 12.2h13M7.8 3.5v13M12.2 3.5v13",
  operations: "M3.5 16.5v-5M7.8 16.5v-9M12.2 16.5v-7M16.5 16.5v-13",
  profiler: "M10 10l4-3.5M3.5 13.5a7 7 0 1 1 13 0M3.5 13.5h2M14.5 13.5h2",
  debugger: "M7 7.5a3 3 0 0 1 6 0M6.5 8h7v5a3.5 3.5 0 0 1-7 0zM3.5 7.5l3 2M16.5 7.5l-3 2M3 12h3.5M13.5 12H17M4 16.5l2.7-2.3M16 16.5l-2.7-2.3",
  benchmarks: "M3 16.5h14M3.5 13l4-5 3.5 3 5.5-7M13 4h3.5v3.5",
  alerts: "M5.5 13.5V9a4.5 4.5 0 0 1 9 0v4.5l1.5 1.5h-12zM8.5 17h3",
  configuration: "M3 6h8M15 6h2M3 14h2M9 14h8M11 4.2v3.6h3.6V4.2zM5.2 12.2v3.6h3.6v-3.6z",
};
