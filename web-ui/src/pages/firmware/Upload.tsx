import { FileInput, Progress, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useIsMutating } from "@tanstack/react-query";

import { upload, type Release } from "../../api/firmware.ts";
import { useMay } from "../../api/me.ts";
import { t } from "../../i18n/index.ts";
import { bytes } from "../../parts/Figures.tsx";
import { FormModal } from "../../parts/FormModal.tsx";
import { act } from "../../parts/said.ts";
import { TenantSelect } from "../../parts/TenantSelect.tsx";

/** What the hub takes at most. */
const IMAGE_MAX = 4 * 1024 * 1024;

/** An image on its way in; the hub reads it as boards would, and says what it refuses. */
export function Upload({ close, added }: { close: () => void; added: (of: Release) => void }) {
  const may = useMay();
  const everywhere = may("firmware:write", null);
  const busy = useIsMutating() > 0;
  const form = useForm({
    initialValues: { image: null as File | null, product: "", hardware: "", tenant: "" },
    validate: {
      image: (file) => (file === null ? t("release.image-choose") : file.size > IMAGE_MAX ? t("release.image-large", { size: bytes(file.size) }) : null),
      product: (name) => (name.trim() === "" ? t("release.product-rule") : null),
      tenant: (of) => (of === "" && !everywhere ? t("tenant.choose") : null),
    },
  });
  function submit() {
    if (form.validate().hasErrors) return null;
    const { image, product, hardware, tenant } = form.getValues();
    if (image === null) return null;
    const revisions = hardware.split(/[\s,;]+/).filter((each) => each !== "").join(",");
    const query = { product: product.trim(), ...(revisions === "" ? {} : { hardware: revisions }), ...(tenant === "" ? {} : { tenant }) };
    return async () => {
      const taken = upload(image, query);
      await act(taken, t("release.uploaded"), "firmware");
      added(await taken);
    };
  }
  return (
    <FormModal title={t("release.upload")} action={t("release.upload")} close={close} submit={submit}>
      <FileInput
        label={t("release.image")}
        description={t("release.image-note")}
        placeholder={t("release.image-choose")}
        required
        value={form.values.image}
        onChange={(file) => form.setFieldValue("image", file)}
        error={form.errors["image"]}
      />
      <TextInput label={t("release.product")} description={t("release.product-note")} required spellCheck={false} {...form.getInputProps("product")} />
      <TextInput label={t("release.hardware")} description={t("release.hardware-note")} spellCheck={false} {...form.getInputProps("hardware")} />
      <TenantSelect value={form.values.tenant === "" ? null : form.values.tenant} onChange={(of) => form.setFieldValue("tenant", of ?? "")} everywhere={everywhere} error={form.errors["tenant"]} />
      {busy && <Progress value={100} animated aria-label={t("release.uploading")} />}
    </FormModal>
  );
}
