// Which page is at which path; each page is fetched when it is first opened. Whoever has not signed in is
// sent to sign in, and comes back to where they wanted to be.
import {
  Outlet,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
  type ErrorComponentProps,
} from "@tanstack/react-router";

import { asFault } from "./api/fault.ts";
import { me } from "./api/me.ts";
import { overview } from "./api/overview.ts";
import { queries } from "./api/queries.ts";
import { rememberedPlace } from "./api/session.ts";
import { FaultNote } from "./parts/FaultNote.tsx";
import { Waiting } from "./parts/Waiting.tsx";
import { NotFound } from "./shell/NotFound.tsx";
import { Shell } from "./shell/Shell.tsx";
import { boardFilter, text } from "./search.ts";

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });

const outside = <T extends string>(path: T, load: () => Promise<{ default: () => React.ReactNode }>) =>
  createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load) });

const signedIn = createRoute({
  getParentRoute: () => root,
  id: "signed-in",
  component: Shell,
  beforeLoad: async ({ location }) => {
    try {
      await queries.query({ ...me, staleTime: "static" });
    } catch (error) {
      if (asFault(error).status !== 401) throw error;
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- the router's way to be sent elsewhere
      throw redirect({ to: "/sign-in", search: { to: location.href } });
    }
    const place = rememberedPlace();
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- the router's way to be sent elsewhere
    if (place !== null) throw redirect({ href: place });
  },
});

type Load = () => Promise<{ default: () => React.ReactNode }>;
const page = <T extends string>(path: T, load: Load) =>
  createRoute({ getParentRoute: () => signedIn, path, component: lazyRouteComponent(load) });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: (search) => ({ ...text(search, "to"), ...text(search, "refused") }),
  component: lazyRouteComponent(() => import("./pages/sign-in/SignIn.tsx")),
});

const home = createRoute({
  getParentRoute: () => signedIn,
  path: "/",
  // Asked for while the page itself comes.
  loader: () => void queries.query(overview).catch(() => undefined),
  component: lazyRouteComponent(() => import("./pages/overview/Overview.tsx")),
});

const boards = createRoute({
  getParentRoute: () => signedIn,
  path: "/boards",
  validateSearch: boardFilter,
  component: lazyRouteComponent(() => import("./pages/boards/Boards.tsx")),
});

const newRollout = createRoute({
  getParentRoute: () => signedIn,
  path: "/rollouts/new",
  validateSearch: (search) => ({ ...boardFilter(search), ...text(search, "release") }),
  component: lazyRouteComponent(() => import("./pages/rollouts/NewRollout.tsx")),
});

const certificates = createRoute({
  getParentRoute: () => signedIn,
  path: "/certificates",
  validateSearch: (search) => text(search, "tab"),
  component: lazyRouteComponent(() => import("./pages/certificates/Certificates.tsx")),
});

const tree = root.addChildren([
  signIn,
  outside("/setup", () => import("./pages/sign-in/Setup.tsx")),
  signedIn.addChildren([
    home,
    boards,
    page("/boards/$board", () => import("./pages/board/Board.tsx")),
    page("/sessions", () => import("./pages/sessions/Sessions.tsx")),
    page("/tenants", () => import("./pages/tenants/Tenants.tsx")),
    page("/tenants/$tenant", () => import("./pages/tenants/Tenant.tsx")),
    page("/routes", () => import("./pages/routes/Routes.tsx")),
    certificates,
    page("/campaigns/$campaign", () => import("./pages/campaigns/Campaign.tsx")),
    page("/production", () => import("./pages/production/Production.tsx")),
    page("/firmware", () => import("./pages/firmware/Firmware.tsx")),
    page("/firmware/$release", () => import("./pages/firmware/Release.tsx")),
    page("/rollouts", () => import("./pages/rollouts/Rollouts.tsx")),
    newRollout,
    page("/rollouts/$rollout", () => import("./pages/rollouts/Rollout.tsx")),
    page("/users", () => import("./pages/people/Users.tsx")),
    page("/tokens", () => import("./pages/people/Tokens.tsx")),
    page("/approvals", () => import("./pages/approvals/Approvals.tsx")),
    page("/audit", () => import("./pages/audit/Audit.tsx")),
    page("/system", () => import("./pages/system/System.tsx")),
    page("/account", () => import("./pages/account/Account.tsx")),
  ]),
]);

function Broken({ error, reset }: ErrorComponentProps) {
  return (
    <div className="page">
      <FaultNote error={error} again={reset} />
    </div>
  );
}

export const router = createRouter({
  routeTree: tree,
  defaultPreload: "intent",
  defaultPendingMs: 300,
  defaultPendingComponent: Waiting,
  defaultErrorComponent: Broken,
  // Its own way of doing that writes an inline script.
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
