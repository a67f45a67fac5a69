// How many boards' certificates end in which month. A picture for the eye; for who hears it, a list of
// the months and their numbers, which is what it is.
import type { Forecast } from "../../api/certificates.ts";
import { locale, t } from "../../i18n/index.ts";
import { amount } from "../../parts/Figures.tsx";

const SOON_MONTHS = 1;
const NEAR_MONTHS = 3;

export function ForecastPicture({ of }: { of: Forecast }) {
  const most = Math.max(1, ...of.months.map((month) => month.boards));
  const total = of.months.reduce((sum, month) => sum + month.boards, 0);
  return (
    <div className="table-scroll" role="group" aria-label={t("forecast.title")} tabIndex={0}>
      <p className="soft">
        {total === 0 ? t("forecast.none") : t("forecast.total", { n: total, months: of.months.length })} {t("forecast.later", { n: of.later })}
      </p>
      {total > 0 && <div className="bars" role="list" aria-label={t("forecast.title")}>
        {of.months.map((month, index) => {
          const when = new Date(`${month.month}-15T00:00:00Z`);
          const tone = month.boards === 0 ? undefined : index < SOON_MONTHS ? "bad" : index < NEAR_MONTHS ? "warn" : undefined;
          const name = when.toLocaleDateString(locale(), { month: "long", year: "numeric" });
          return (
            <div key={month.month} role="listitem" data-tone={tone} aria-label={t("forecast.month", { month: name, n: month.boards })}>
              <span className="bar-value" aria-hidden="true">
                {month.boards === 0 ? "" : amount(month.boards)}
              </span>
              <span className="bar-fill" style={{ height: `${(72 * month.boards) / most}%` }} />
              <span className="bar-name" aria-hidden="true">
                {when.getUTCMonth() === 0 || index === 0
                  ? when.toLocaleDateString(locale(), { month: "short", year: "2-digit" })
                  : when.toLocaleDateString(locale(), { month: "short" })}
              </span>
            </div>
          );
        })}
      </div>}
    </div>
  );
}
