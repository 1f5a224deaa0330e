// Dark, light, or as the system says.
export type Theme = "system" | "dark" | "light";
const kKey = "peerscope.theme";

function stored(): Theme {
  try {
    const value = localStorage.getItem(kKey);
    return value === "dark" || value === "light" ? value : "system";
  } catch {
    return "system"; // storage may be forbidden
  }
}

class ThemeState {
  choice = $state<Theme>(stored());
  #system_dark = $state(matchMedia("(prefers-color-scheme: dark)").matches);
  readonly dark: boolean = $derived(this.choice === "system" ? this.#system_dark : this.choice === "dark");

  start(): void {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => (this.#system_dark = event.matches));
    this.#show();
  }
  choose(choice: Theme): void {
    this.choice = choice;
    try {
      localStorage.setItem(kKey, choice);
    } catch {
      // it lasts until the page is closed
    }
    this.#show();
  }
  next(): void {
    this.choose(this.choice === "system" ? "dark" : this.choice === "dark" ? "light" : "system");
  }
  #show(): void {
    if (this.choice === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.choice;
  }
}

export const theme = new ThemeState();
