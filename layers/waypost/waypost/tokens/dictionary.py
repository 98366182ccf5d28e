"""The preset dictionary of version 1: what destinations in messages have in common.

Deflate copies from it, so that ``https://www.`` or a campaign's parameters cost a few bits
instead of characters; the likelier a piece, the nearer it stands to the end, where distances are
short. A version's dictionary NEVER changes, or every link sent under it dies: a better one is a
new token version.
"""

from __future__ import annotations

from typing import Final

DICTIONARY_V1: Final = (
    b"application/json.aspx.html.php.pdf.png.jpg.ics.xml#section=true&enabled=false&null"
    b"appointments/booking/calendar/schedule/webinar/events/register/session/tickets/"
    b"subscription/subscribe/unsubscribe/preferences/manage-preferences/email-preferences/"
    b"notifications/settings/account/profile/password/verify-email/confirm/activate/invite/"
    b"dashboard/projects/workspace/teams/users/members/organizations/documents/download/"
    b"invoices/invoice/receipt/billing/payment/checkout/cart/orders/order/tracking/shipping/"
    b"returns/products/product/collections/categories/category/shop/store/sale/new-arrivals/"
    b"discount/coupon/code=promo=offer=gift-cards/reviews/feedback/survey/support/help-center/"
    b"articles/contact-us/about-us/careers/privacy-policy/terms-of-service/legal/"
    b"news/newsletter/blog/posts/stories/2024/2025/2026/guides/getting-started/docs/learn/features/"
    b"pricing/customers/integrations/community/forum/watch?v=playlist/video/photo/image/share?url="
    b"apps.apple.com/us/app/id play.google.com/store/apps/details?id=com."
    b"https://www.linkedin.com/company/https://www.instagram.com/https://www.youtube.com/channel/"
    b"https://www.facebook.com/https://twitter.com/https://x.com/https://github.com/"
    b"https://www.pinterest.com/https://www.tiktok.com/@https://medium.com/@"
    b"https://www.google.com/maps/search/?api=1&query=https://goo.gl/https://bit.ly/"
    b"http://localhost:mailto:info@hello@support@?subject=&body=tel:+1800sms:"
    b".co.uk/.de/.fr/.es/.it/.nl/.eu/.ca/.com.au/.com.br/.dev/.app/.ai/.info/.me/.shop/"
    b"https://app.https://store.https://shop.https://help.https://my.https://blog.https://docs."
    b"https://support.https://account.https://go.https://links.https://click.https://email."
    b"&token=&id=&uid=&user_id=&customer_id=&email=&ref=email&source=&lang=en&locale=en-US"
    b"&page=1&q=&sort=&size=&color=&variant=&sku=&redirect_to=https%3A%2F%2F&next=%2F&return_url="
    b"&fbclid=&gclid=&mc_cid=&mc_eid=&_hsenc=&_hsmi=&ajs_uid=cio_&ajs_event=&vero_id=&trk="
    b"utm_id=&utm_source_platform=&utm_creative_format=&utm_marketing_tactic="
    b"&utm_source=mailchimp&utm_source=sendgrid&utm_source=transactional&utm_source=broadcast"
    b"&utm_medium=sms&utm_medium=push&utm_campaign=welcome&utm_campaign=spring-sale"
    b"&utm_campaign=black-friday&utm_campaign=abandoned_cart&utm_campaign=weekly-digest"
    b"&utm_content=header&utm_content=footer&utm_content=button&utm_content=hero&utm_content=cta"
    b"&utm_term=&utm_content=&utm_campaign="
    b"?utm_source=newsletter&utm_medium=email&utm_campaign=newsletter&utm_content="
    b"?utm_source=customer.io&utm_medium=email&utm_campaign="
    b"&utm_source=email&utm_medium=email&utm_campaign=&utm_content=\x01&utm_source="
    b"?\x01&utm_source=newsletter&utm_medium=email&utm_campaign="
    b".org/.net/.io/.com/index.html?http://www.http://example.com/https://example.com/https://www."
)
