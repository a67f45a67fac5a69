// Every place there is in the app: where it is in the rail, which keys lead there, who may see it.
import {
  IconActivityHeartbeat,
  IconArrowsSplit2,
  IconBuilding,
  IconBuildingFactory2,
  IconCertificate,
  IconChecks,
  IconCpu,
  IconHistory,
  IconKey,
  IconLayoutDashboard,
  IconPackage,
  IconPlugConnected,
  IconStairsUp,
  IconUsers,
  type Icon,
} from "@tabler/icons-react";

import type { Permission } from "../api/me.ts";
import type { Key } from "../i18n/index.ts";

export type Place = {
  to: string;
  name: Key;
  icon: Icon;
  /** Two keys in a row. */
  keys: string;
  group: Key;
  /** What they have to be allowed somewhere to find anything there. */
  needs?: Permission;
  /** It is the hub's: being allowed in one tenant is not enough. */
  everywhere?: true;
};

export const PLACES: readonly Place[] = [
  { to: "/", name: "place.overview", icon: IconLayoutDashboard, keys: "g o", group: "group.fleet", needs: "boards:read" },
  { to: "/boards", name: "place.boards", icon: IconCpu, keys: "g b", group: "group.fleet", needs: "boards:read" },
  { to: "/sessions", name: "place.sessions", icon: IconPlugConnected, keys: "g s", group: "group.fleet", needs: "boards:read" },
  { to: "/tenants", name: "place.tenants", icon: IconBuilding, keys: "g t", group: "group.customers", needs: "tenants:read" },
  { to: "/routes", name: "place.routes", icon: IconArrowsSplit2, keys: "g r", group: "group.customers", needs: "routes:read" },
  { to: "/certificates", name: "place.certificates", icon: IconCertificate, keys: "g c", group: "group.life", needs: "certificates:read" },
  { to: "/production", name: "place.production", icon: IconBuildingFactory2, keys: "g p", group: "group.life", needs: "batches:read" },
  { to: "/firmware", name: "place.firmware", icon: IconPackage, keys: "g f", group: "group.life", needs: "firmware:read" },
  { to: "/rollouts", name: "place.rollouts", icon: IconStairsUp, keys: "g w", group: "group.life", needs: "rollouts:read" },
  { to: "/users", name: "place.users", icon: IconUsers, keys: "g u", group: "group.people", needs: "users:read" },
  { to: "/tokens", name: "place.tokens", icon: IconKey, keys: "g k", group: "group.people" },
  { to: "/approvals", name: "place.approvals", icon: IconChecks, keys: "g a", group: "group.people", needs: "approvals:read" },
  { to: "/audit", name: "place.audit", icon: IconHistory, keys: "g l", group: "group.people", needs: "audit:read" },
  { to: "/system", name: "place.system", icon: IconActivityHeartbeat, keys: "g h", group: "group.people", needs: "system:read", everywhere: true },
];
