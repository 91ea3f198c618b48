// Light, dark, or as the system has it: kept where the pages of the documentation keep it.

const KEY = "theme";
const CHOICES = ["auto", "light", "dark"] as const;

export class Theme {
  #choice: (typeof CHOICES)[number] = "auto";
  #system = matchMedia("(prefers-color-scheme: dark)");

  constructor(
    private readonly button: HTMLButtonElement,
    onChange: () => void,
  ) {
    this.#set(CHOICES.find((choice) => choice === stored()) ?? "auto");
    button.addEventListener("click", () => {
      this.#set(CHOICES[(CHOICES.indexOf(this.#choice) + 1) % CHOICES.length] ?? "auto");
      store(this.#choice);
      onChange();
    });
    this.#system.addEventListener("change", onChange);
  }

  get dark(): boolean {
    return this.#choice === "auto" ? this.#system.matches : this.#choice === "dark";
  }

  #set(choice: (typeof CHOICES)[number]): void {
    this.#choice = choice;
    document.documentElement.dataset["theme"] = choice;
    this.button.textContent = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" }[choice];
  }
}

// A browser may forbid storage, with an error.

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function store(choice: string): void {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // Then it lasts as long as the page.
  }
}
