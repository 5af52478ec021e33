import { type ListedEffect, moneyText } from '@bridge/operations';

/** `180.00 USD`: what an effect is about, where that is money. */
export const subjectMoney = ({ amount, currency }: ListedEffect['subject']): string | null =>
  amount === undefined || currency === undefined ? null : moneyText(amount, currency);
