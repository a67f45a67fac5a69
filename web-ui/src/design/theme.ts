// What Mantine has to know of the look. Colours of surfaces, text and states are in tokens.css.
import { createTheme, type MantineColorsTuple } from "@mantine/core";

const petrol: MantineColorsTuple = [
  "#e6f4f6", "#cfe6ea", "#a3d0d8", "#6cc5d1", "#44a5b3", "#2b8795", "#186f7d", "#0b5a69", "#084754", "#05343e",
];
const clay: MantineColorsTuple = [
  "#fdecea", "#f9d3cf", "#f3aba4", "#ff8a7d", "#e0584c", "#ca3d32", "#b3261e", "#b3261e", "#861812", "#65100c",
];

const dark: MantineColorsTuple = [
  "#e8ecec", "#b4bdc1", "#97a2a7", "#6f7c82", "#3a464c", "#2a3338", "#1b2327", "#161c1f", "#0f1315", "#0a0d0f",
];

const sans = "'Atkinson Hyperlegible Next Variable', system-ui, sans-serif";
const mono = "'Atkinson Hyperlegible Mono Variable', ui-monospace, monospace";

export const theme = createTheme({
  colors: { petrol, red: clay, dark },
  primaryColor: "petrol",
  primaryShade: { light: 7, dark: 6 },
  fontFamily: sans,
  fontFamilyMonospace: mono,
  headings: { fontFamily: sans, fontWeight: "640" },
  defaultRadius: "sm",
  radius: { sm: "5px", md: "8px" },
  fontSizes: { xs: "12px", sm: "13.5px", md: "15px" },
  spacing: { xs: "8px", sm: "12px", md: "16px", lg: "24px", xl: "32px" },
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    // What opens is there at once, for whoever types on; their scroll lock writes a <style> element, which the policy
    // forbids.
    Modal: { defaultProps: { lockScroll: false, centered: true, transitionProps: { duration: 0 } } },
    Drawer: { defaultProps: { lockScroll: false, transitionProps: { duration: 120 } } },
    Button: { defaultProps: { size: "sm" } },
    TextInput: { defaultProps: { size: "sm" } },
    Tooltip: { defaultProps: { openDelay: 300, withArrow: true, events: { hover: true, focus: true, touch: false } } },
    Menu: { defaultProps: { position: "bottom-end", shadow: "md", withInitialFocusPlaceholder: false } },
    Spotlight: { defaultProps: { transitionProps: { duration: 0 } } },
    // Inside the page's main landmark, where a screen reader looks for it.
    Popover: { defaultProps: { portalProps: { target: "#floats" } } },
  },
});
