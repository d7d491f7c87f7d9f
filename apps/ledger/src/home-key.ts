/** Keys of this service begin with the group of their home. */
export const HOME_KEY_PATTERN = /^(eu|us|ap):[A-Za-z0-9._-]{1,64}$/;
