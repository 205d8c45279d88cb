export const PLAN_FORMAT = 'mosplan';
/** major.minor: docs/plan.md. */
export const PLAN_VERSION = '1.0';
