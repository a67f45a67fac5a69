// Labels as people type them: `site=north line=2`.

export function parseLabels(text: string): Record<string, string> | null {
  const labels: Record<string, string> = {};
  for (const part of text.split(/[\s,]+/).filter((each) => each !== "")) {
    const [key, value, ...more] = part.split("=");
    if (key === undefined || key === "" || value === undefined || value === "" || more.length > 0) return null;
    labels[key] = value;
  }
  return labels;
}

export function writeLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(" ");
}
