// One's own account: language and light, password, second factor, passkeys, and where one is signed in.
import { SegmentedControl, useMantineColorScheme } from "@mantine/core";

import { useMe } from "../../api/me.ts";
import { LANGUAGES, choose, current, named, t, type Language } from "../../i18n/index.ts";
import { Facts, Page, Section } from "../../parts/Page.tsx";
import { Logins } from "./Logins.tsx";
import { Passkeys } from "./Passkeys.tsx";
import { Password } from "./Password.tsx";
import { Totp } from "./Totp.tsx";

export default function Account() {
  const who = useMe();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Page title={t("place.account")} lead={`${who.full_name} · ${who.user}`}>
      <div className="columns">
        <div className="half">
          <Section title={t("account.looks")}>
            <div className="settings">
              <span id="language">{t("account.language")}</span>
              <SegmentedControl
                aria-labelledby="language"
                value={current()}
                onChange={(language) => void choose(language as Language)}
                data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
              />
              <span id="light">{t("account.theme")}</span>
              <SegmentedControl
                aria-labelledby="light"
                value={colorScheme}
                onChange={(scheme) => setColorScheme(scheme as typeof colorScheme)}
                data={["auto", "light", "dark"].map((value) => ({ value, label: named("theme", value) }))}
              />
            </div>
          </Section>
          <Section title={t("account.may")}>
            <Facts
              of={who.powers.map((power) => [
                power.tenant ?? t("tenant.everywhere"),
                power.permissions.map((permission) => (
                  <span key={permission} className="tag">
                    {permission}
                  </span>
                )),
              ])}
            />
          </Section>
        </div>
        <div className="half">
          <Passkeys />
          <Totp on={who.sign_in.totp} left={who.sign_in.recovery_codes} />
          <Password known={who.sign_in.password} />
        </div>
      </div>
      <Logins />
    </Page>
  );
}
