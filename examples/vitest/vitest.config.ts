import { defineConfig } from "vitest/config";

export default defineConfig({ test: { setupFiles: ["tailor-idp/vitest"] } });
